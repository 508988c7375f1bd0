"""Evidence from vectors: which texts of a class count."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lmos.router.model import COMPARED, ONE_IN, SHORTLIST, EmbeddingModel

DIMENSIONS = 16


def units(count: int, seed: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def model_of(sizes: list[int]) -> EmbeddingModel:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return EmbeddingModel.fit(units(len(labels), 1), labels, len(sizes), iterations=5)


def test_a_class_of_few_texts_is_as_near_as_its_nearest() -> None:
    model, text = model_of([3, 2 * ONE_IN - 1]), units(1, 2)
    _, cosine = model.scores(text)
    similarity = (text @ model.vectors.T)[0]
    assert cosine[0] == pytest.approx([similarity[:3].max(), similarity[3:].max()], abs=1e-6)


def test_a_class_of_many_texts_is_as_near_as_its_nearest_on_average() -> None:
    model, text = model_of([5 * ONE_IN, 3]), units(1, 2)
    _, cosine = model.scores(text)
    similarity = np.sort((text @ model.vectors.T)[0, : 5 * ONE_IN])
    assert cosine[0, 0] == pytest.approx(similarity[-5:].mean(), abs=1e-6)


SIZES = {
    "few": [4, 30, 60, 7],
    "so many that only the likeliest classes are compared": [COMPARED // SHORTLIST] * (SHORTLIST + 4),
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_a_text_is_judged_alone_as_among_others(sizes: list[int]) -> None:
    model, texts = model_of(sizes), units(5, 3)
    linear, cosine = model.scores(texts)
    for row, text in enumerate(texts):
        own_linear, own_cosine, _ = model.compare(text)
        assert own_linear[0] == pytest.approx(linear[row], abs=1e-4)
        assert own_cosine[0] == pytest.approx(cosine[row], abs=1e-4)
