"""What every encoder promises, whatever computes the vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lmos.encoders.base import Encoder
from lmos.encoders.cached import CachedEncoder
from lmos.encoders.registry import encoder_named
from tests.encoders.embeddings_server import embeddings_server

pytestmark = pytest.mark.anyio

VARIANTS: dict[str, Callable[[str], Encoder]] = {
    "static": lambda _: encoder_named("static"),
    "cached static": lambda _: CachedEncoder(encoder_named("static"), max_entries=8),
    "onnx": lambda _: encoder_named("onnx"),
    "openai": lambda url: encoder_named(f"{url}#hashed-words"),
}

AWKWARD = {
    "empty": "",
    "blank": " \t\n ",
    "emoji": "📱🔥👍🏽",
    "right to left": "ما هي فاتورتي",
    "control characters": "bill\x00\x07\x1b[31m",
    "lone surrogate": "bill \ud83d",
    "ten kilobytes": "how much is my bill " * 512,
}


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with embeddings_server() as server:
        yield server.url


@pytest.fixture(params=VARIANTS)
def encoder(request: pytest.FixtureRequest, server_url: str) -> Encoder:
    return VARIANTS[request.param](server_url)


async def test_no_texts_give_a_matrix_without_rows(encoder: Encoder) -> None:
    vectors = await encoder.encode([])
    assert vectors.shape == (0, encoder.dimensions)
    assert encoder.dimensions > 0


async def test_vectors_are_float32_of_unit_length_in_the_order_of_the_texts(encoder: Encoder) -> None:
    texts = ["how much is my bill", "my internet is down", "how much is my bill"]
    vectors = await encoder.encode(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, encoder.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert np.array_equal(vectors[0], vectors[2])


async def test_the_empty_text_is_the_zero_vector(encoder: Encoder) -> None:
    assert not (await encoder.encode([""])).any()


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD.keys())
async def test_awkward_text_gives_a_finite_vector_of_length_one_or_zero(encoder: Encoder, text: str) -> None:
    vector = (await encoder.encode([text]))[0]
    assert np.isfinite(vector).all()
    norm = float(np.linalg.norm(vector))
    assert norm == 0 or norm == pytest.approx(1, abs=1e-5)


async def test_a_text_has_the_same_vector_alone_and_in_a_large_batch(encoder: Encoder) -> None:
    alone = await encoder.encode(["my internet is down"])
    batch = await encoder.encode([*(f"question number {n} about my bill" for n in range(200)), "my internet is down"])
    assert batch[-1] == pytest.approx(alone[0], abs=1e-5)


async def test_a_question_is_nearer_to_its_paraphrase_than_to_another_topic(encoder: Encoder) -> None:
    question, paraphrase, other = await encoder.encode(
        ["how much is my bill", "how high is my bill this month", "the internet connection broke"]
    )
    assert question @ paraphrase > question @ other


async def test_two_encoders_of_one_name_agree(
    encoder: Encoder, request: pytest.FixtureRequest, server_url: str
) -> None:
    variant: str = request.node.callspec.params["encoder"]
    twin = VARIANTS[variant](server_url)
    assert twin.name == encoder.name
    assert np.array_equal(await twin.encode(["cancel my contract"]), await encoder.encode(["cancel my contract"]))
