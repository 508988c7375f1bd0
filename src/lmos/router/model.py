"""What speaks for each capability in a text, from vectors; and how to score texts by models that never saw them.

Capabilities, not agents, are the classes: an agent's capabilities may have little in common, and summing their
probabilities is more accurate than learning agents directly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmos.router.linear import LinearModel, fit_linear

__all__ = ["EmbeddingModel", "Evidence", "held_out_embeddings", "hold_out"]

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

# Trains on the rows of the first argument, whose labels are the second (of so many classes: third), and scores the
# rows of the fourth: one or more `float32[len(rows), classes]`.
TrainAndScore = Callable[[Labels, Labels, int, Labels], tuple[Floats, ...]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Scores of n texts for C capabilities and, last, the background: each `float32[n, C + 1]`.

    `linear` and `ngrams` have rows of mean 0; `cosine` is that of the class's nearest training text.
    """

    linear: Floats
    ngrams: Floats
    cosine: Floats

    @property
    def classes(self) -> int:
        """C: how many of the columns are capabilities."""
        return self.linear.shape[1] - 1

    def take(self, rows: NDArray[np.bool_]) -> Evidence:
        return Evidence(self.linear[rows], self.ngrams[rows], self.cosine[rows])


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A linear model on vectors, and the vectors themselves: `starts[C]` is where each capability's texts begin."""

    linear: LinearModel
    vectors: Floats
    starts: Labels

    @classmethod
    def fit(
        cls,
        vectors: Floats,
        labels: Labels,
        classes: int,
        *,
        weights: Floats | None = None,
        start: LinearModel | None = None,
        iterations: int = 100,
    ) -> EmbeddingModel:
        """Learn from `vectors[n, d]`, which count `weights[n]`; `labels` ascend and name every class.

        `start` is a model to go on from.
        """
        linear = fit_linear(vectors, labels, classes, sample_weights=weights, start=start, iterations=iterations)
        return cls(linear, vectors, np.searchsorted(labels, np.arange(classes)))

    def scores(self, vectors: Floats) -> tuple[Floats, Floats]:
        """`Evidence.linear` and `Evidence.cosine` of the texts with these vectors."""
        return self.linear.scores(vectors), np.maximum.reduceat(vectors @ self.vectors.T, self.starts, axis=1)


def held_out_embeddings(vectors: Floats, labels: Labels, folds: Labels, weights: Floats) -> tuple[Floats, Floats]:
    """`Evidence.linear` and `Evidence.cosine` of the texts with a fold, each from a model that never saw the text."""

    def train_and_score(rows: Labels, own: Labels, classes: int, test: Labels) -> tuple[Floats, ...]:
        return EmbeddingModel.fit(vectors[rows], own, classes, weights=weights[rows]).scores(vectors[test])

    linear, cosine = hold_out(labels, folds, train_and_score, 2)
    return linear, cosine


def hold_out(labels: Labels, folds: Labels, train_and_score: TrainAndScore, outputs: int) -> tuple[Floats, ...]:
    """Scores of each text with a fold >= 0 by models trained on all texts of other folds, in order of rows.

    Texts of fold -1 are always trained on. A capability whose only text is held out is absent in that fold: it gets the
    least score of any.
    """
    classes = int(labels.max()) + 1
    wholes = tuple(np.zeros((len(labels), classes), np.float32) for _ in range(outputs))
    for fold in range(int(folds.max(initial=-1)) + 1):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        present, own = np.unique(labels[train], return_inverse=True)
        parts = train_and_score(train, own.astype(np.int64), len(present), test)
        for whole, part in zip(wholes, parts, strict=True):
            rows = np.repeat(part.min(axis=1, keepdims=True), classes, axis=1)
            rows[:, present] = part
            whole[test] = rows
    held = np.flatnonzero(folds >= 0)
    return tuple(whole[held] for whole in wholes)
