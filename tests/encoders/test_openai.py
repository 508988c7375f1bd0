from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from lmos.encoders.base import EncoderError
from lmos.encoders.openai import OpenAIEncoder
from lmos.encoders.registry import encoder_named
from tests.encoders.embeddings_server import EmbeddingsServer, embeddings_server

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[EmbeddingsServer]:
    with embeddings_server() as server:
        yield server


async def test_texts_go_out_in_batches_and_come_back_in_order(server: EmbeddingsServer) -> None:
    texts = [f"text {n}" for n in range(5)]
    vectors = await OpenAIEncoder(server.url, "m", batch=2).encode(texts)
    assert [len(request["input"]) for request in server.requests] == [2, 2, 1]
    assert np.array_equal(vectors, await OpenAIEncoder(server.url, "m").encode(texts))


async def test_the_key_is_sent_as_a_bearer_token(server: EmbeddingsServer) -> None:
    await encoder_named(f"{server.url}#m", api_key="secret").encode(["a"])
    assert server.headers["Authorization"] == "Bearer secret"


async def test_empty_texts_never_leave_the_machine(server: EmbeddingsServer) -> None:
    vectors = await OpenAIEncoder(server.url, "m").encode(["", "a bill", " "])
    assert server.requests[0]["input"] == ["a bill"]
    assert vectors.any(axis=1).tolist() == [False, True, False]


FAULTS = {
    "an error": (500, b"out of memory", "answered 500 for model 'm': out of memory"),
    "no JSON": (200, b"<html>", "answered what is no list of embeddings"),
    "another shape": (200, b'{"data": [{"vector": [1]}]}', "answered what is no list of embeddings"),
    "too few": (200, b'{"data": []}', "answered 0 embeddings"),
    "an index twice": (
        200,
        json.dumps({"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}).encode(),
        "answered 2 embeddings",
    ),
    "not finite": (200, b'{"data": [{"index": 0, "embedding": [1e39]}, {"index": 1, "embedding": [1]}]}', "not finite"),
}


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(("status", "answer", "message"), FAULTS.values(), ids=FAULTS.keys())
async def test_a_faulty_server_is_an_error_that_names_it(
    server: EmbeddingsServer, status: int, answer: bytes, message: str
) -> None:
    server.status, server.answer = status, answer
    with pytest.raises(EncoderError, match=message):
        await OpenAIEncoder(server.url, "m").encode(["a", "b"])


async def test_a_slow_server_is_an_error_after_the_timeout(server: EmbeddingsServer) -> None:
    server.delay = 0.5
    with pytest.raises(EncoderError, match=r"did not answer within 0\.05 s"):
        await OpenAIEncoder(server.url, "m", timeout=0.05).encode(["a"])


async def test_no_server_is_an_error_that_names_the_url() -> None:
    with pytest.raises(EncoderError, match=r"http://127\.0\.0\.1:1/v1/embeddings cannot be reached"):
        await OpenAIEncoder("http://127.0.0.1:1/v1", "m").encode(["a"])


def test_a_url_without_a_model_is_refused() -> None:
    with pytest.raises(EncoderError, match="names no model: add it after '#'"):
        encoder_named("http://127.0.0.1:1/v1")
