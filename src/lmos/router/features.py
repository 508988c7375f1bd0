"""Hashed character and word n-grams of texts, as sparse rows. `ngrams` learns from them.

All texts of a batch are hashed together by array operations: a loop over n-grams in Python would cost more than the
whole rest of a decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmos.router.text import normalise

__all__ = ["SparseRows", "count_ngrams"]

# Ids are 22 bits of a hash: some 50,000 features of a large roster then collide in one case out of a hundred.
ID_BITS = 22
LONGEST = 5

_SPACE = ord(" ")
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_WORD_SEED = np.uint64(0xD6E8FEB86659FD93)
_PAIR_SEED = np.uint64(0xA0761D6478BD642F)

Hashes = NDArray[np.uint64]
Ids = NDArray[np.int64]
Found = tuple[Hashes, Ids]  # hashes of n-grams, and where each begins


@dataclass(frozen=True, slots=True)
class SparseRows:
    """Rows of a sparse matrix: row `i` holds `values[starts[i]:starts[i + 1]]` in `columns[...]` (ascending)."""

    starts: Ids
    columns: Ids
    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def rows(self) -> Ids:
        """The row of each value."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def take(self, rows: Ids) -> SparseRows:
        """The given rows, in that order."""
        lengths = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        picks = np.repeat(self.starts[rows] - starts[:-1], lengths) + np.arange(int(starts[-1]))
        return SparseRows(starts, self.columns[picks], self.values[picks])

    def sum_rows(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sum of `values` (`float32[n]`, one for each stored value) within each row; an empty row gives 0."""
        sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        return (sums[self.starts[1:]] - sums[self.starts[:-1]]).astype(np.float32)


def count_ngrams(texts: Sequence[str]) -> SparseRows:
    """Counts of the n-grams of each text; columns are ids of `ID_BITS` bits.

    Features are 2 to 5 characters within a word and its bounds, words, and pairs of adjacent words.
    """
    padded = [f" {normalise(text)} " for text in texts]
    points = np.frombuffer("".join(padded).encode("utf-32-le"), np.uint32)
    text_of = np.repeat(np.arange(len(texts)), [len(text) for text in padded])
    found = [*_characters(points), *_words(points, text_of)]
    if not found:
        return SparseRows(np.zeros(len(texts) + 1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    mixed = np.concatenate([hashes for hashes, _ in found]) * _MIX
    ids = (((mixed ^ (mixed >> np.uint64(29))) * _BASE) >> np.uint64(64 - ID_BITS)).astype(np.int64)
    owners = np.concatenate([text_of[starts] for _, starts in found])
    keys, counts = np.unique((owners << ID_BITS) | ids, return_counts=True)
    starts = np.searchsorted(keys, np.arange(len(texts) + 1) << ID_BITS)
    return SparseRows(starts, keys & ((1 << ID_BITS) - 1), counts.astype(np.float32))


def _characters(points: NDArray[np.uint32]) -> Iterator[Found]:
    """N-grams of characters; a space may stand at their ends (where a word begins or ends), not inside."""
    wide = points.astype(np.uint64)
    space = points == _SPACE
    rolling = wide
    broken = np.zeros(len(points), np.bool_)
    for length in range(2, LONGEST + 1):
        size = len(points) - length + 1
        if size <= 0:
            return
        rolling = rolling[:size] * _BASE + wide[length - 1 :]
        if length == 2:
            starts = np.flatnonzero(~(space[:size] & space[1:]))
        else:
            broken = broken[:size] | space[length - 2 : length - 2 + size]
            starts = np.flatnonzero(~broken)
        yield rolling[starts] + np.uint64(length), starts


def _words(points: NDArray[np.uint32], text_of: Ids) -> Iterator[Found]:
    """Words, and pairs of words that follow each other in one text."""
    letter = points != _SPACE
    starts = np.flatnonzero(letter[1:] & ~letter[:-1]) + 1
    if not len(starts):
        return
    step = np.zeros(len(points), np.int64)
    step[starts] = np.diff(starts, prepend=0)
    place = np.maximum(np.arange(len(points)) - np.cumsum(step), 0)
    powers = np.cumprod(np.full(int(place.max()) + 1, _BASE))
    hashes = np.add.reduceat(np.where(letter, points * powers[place], np.uint64(0)), starts) + _WORD_SEED
    yield hashes, starts
    adjacent = text_of[starts[1:]] == text_of[starts[:-1]]
    yield (hashes[:-1] * _PAIR_SEED + hashes[1:])[adjacent], starts[:-1][adjacent]
