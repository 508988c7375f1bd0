"""`NgramModel`: naive Bayes over weighted n-grams. It reads what an encoder blurs: rare words, names, German, typos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmos.router.features import SparseRows

__all__ = ["NgramModel"]

# Values gathered at once when scoring: bounds the temporary array to this many rows of the weight table.
CHUNK = 1 << 15


@dataclass(frozen=True, slots=True)
class NgramModel:
    """Log-likelihood of each of C capabilities, from tf-idf weighted n-grams.

    `vocabulary` (sorted ids), `idf` and `weights[vocabulary, C]` cover the n-grams seen in training. Half
    precision is enough for logarithms that are summed by the hundred, and a roster's table has millions of them.
    """

    vocabulary: NDArray[np.int64]
    idf: NDArray[np.float32]
    weights: NDArray[np.float16]

    @classmethod
    def fit(cls, counts: SparseRows, labels: NDArray[np.int64], classes: int, smoothing: float = 0.02) -> NgramModel:
        """Learn from `counts` (`count_ngrams`) and `labels` in 0..classes-1. Every capability is as likely.

        `smoothing` is what every n-gram gets in every capability. A constant is better than a share of the n-gram's own
        frequency: a rare n-gram must not speak as loudly as a frequent one (CLINC150: 89 % right alone instead of 86).
        """
        vocabulary, columns = np.unique(counts.columns, return_inverse=True)
        size = len(vocabulary)
        frequency = np.bincount(columns, minlength=size)
        idf = (np.log((1 + len(counts)) / (1 + frequency)) + 1).astype(np.float32)
        values = _weigh(SparseRows(counts.starts, columns, counts.values), idf)
        sums = np.bincount(columns * classes + labels[counts.rows], values, size * classes).astype(np.float32)
        table = sums.reshape(size, classes)  # changed in place from here on: it is the largest array of all
        table += np.float32(smoothing)
        table /= table.sum(axis=0)
        np.log(table, out=table)
        table -= table.mean(axis=1, keepdims=True)
        return cls(vocabulary, idf, table.astype(np.float16))

    def scores(self, counts: SparseRows) -> NDArray[np.float32]:
        """`float32[len(counts), C]`, each row with mean 0."""
        known = np.searchsorted(self.vocabulary, counts.columns)
        known[known == len(self.vocabulary)] = 0
        seen = self.vocabulary[known] == counts.columns if len(self.vocabulary) else np.zeros(len(known), np.bool_)
        lengths = counts.sum_rows(seen.astype(np.float32))
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        rows = SparseRows(starts, known[seen], counts.values[seen])
        values = _weigh(rows, self.idf)
        out = np.zeros((len(rows), self.weights.shape[1]), np.float32)
        owner = rows.rows
        for start in range(0, len(values), CHUNK):
            part = slice(start, start + CHUNK)
            terms = values[part, None] * self.weights[rows.columns[part]]
            first = np.flatnonzero(np.diff(owner[part], prepend=-1))
            out[owner[part][first]] += np.add.reduceat(terms, first)
        return out


def _weigh(rows: SparseRows, idf: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values of `rows` as (1 + log count) x idf, each row of unit length."""
    values = (1 + np.log(rows.values)) * idf[rows.columns]
    norms = np.sqrt(rows.sum_rows(values * values))
    return (values / np.repeat(np.maximum(norms, 1e-9), np.diff(rows.starts))).astype(np.float32)
