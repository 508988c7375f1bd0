from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from lmos.encoders.base import Vectors
from lmos.encoders.cached import CachedEncoder

pytestmark = pytest.mark.anyio


class Counting:
    """An encoder that remembers what it was asked."""

    def __init__(self) -> None:
        self.name = "counting"
        self.dimensions = 2
        self.asked: list[str] = []

    async def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return np.array([[len(text), 1] for text in texts], np.float32)


async def test_a_known_text_is_not_encoded_again() -> None:
    inner = Counting()
    cached = CachedEncoder(inner)
    await cached.encode(["a", "bb", "a"])
    vectors = await cached.encode(["bb", "ccc"])
    assert inner.asked == ["a", "bb", "ccc"]
    assert vectors[:, 0].tolist() == [2, 3]


async def test_the_least_recently_used_text_is_forgotten_first() -> None:
    inner = Counting()
    cached = CachedEncoder(inner, max_entries=2)
    await cached.encode(["a", "b"])
    await cached.encode(["a"])
    await cached.encode(["c"])
    assert len(cached) == 2
    await cached.encode(["a"])
    assert inner.asked == ["a", "b", "c"]


async def test_a_batch_larger_than_the_memory_is_answered_in_full() -> None:
    cached = CachedEncoder(Counting(), max_entries=1)
    assert (await cached.encode(["a", "bb", "ccc"]))[:, 0].tolist() == [1, 2, 3]


async def test_vectors_of_another_encoder_are_not_used() -> None:
    inner = Counting()
    cached = CachedEncoder(inner)
    await cached.encode(["a"])
    inner.name = "other"
    await cached.encode(["a"])
    assert inner.asked == ["a", "a"]


def test_a_memory_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="max_entries is 0: give at least 1"):
        CachedEncoder(Counting(), max_entries=0)
