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

    `linear` and `ngrams` have rows of mean 0; `cosine` is that of the class's nearest training text, or the mean of its
    nearest ones where it has many.
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


# With more texts than this, only those of the classes that the linear model ranks highest are compared one by one.
COMPARED = 1000
SHORTLIST = 16

# Of a class with many texts the nearest one is often an outlier: one text in a dozen is asked, and their mean counts.
# Chosen on CLINC150's validation split (agents right: 98.57 % by one of a hundred, 98.63 % by five, 98.67 % by ten).
# Classes of fewer than two dozen are judged by one.
ONE_IN = 12


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A linear model on vectors, and the vectors themselves: `starts` is where each class's texts begin.

    `centres` are the classes' mean vectors: a text's cosine to a mean is the mean of its cosines.
    """

    linear: LinearModel
    vectors: Floats
    starts: Labels
    centres: Floats

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
        starts = np.searchsorted(labels, np.arange(classes))
        sizes = np.diff(starts, append=len(labels))
        centres = np.add.reduceat(vectors, starts) / sizes[:, None]
        return cls(linear, vectors, starts, centres.astype(np.float32))

    def scores(self, vectors: Floats) -> tuple[Floats, Floats]:
        """`Evidence.linear` and `Evidence.cosine` of the texts with these vectors."""
        linear = self.linear.scores(vectors)
        cosine = self._nearest(vectors @ self.vectors.T)
        if not self._compares_few:
            return linear, cosine
        best = np.argpartition(linear, -SHORTLIST, axis=1)[:, -SHORTLIST:]
        found = vectors @ self.centres.T
        np.put_along_axis(found, best, np.take_along_axis(cosine, best, axis=1), axis=1)
        return linear, found

    def compare(self, vector: Floats) -> tuple[Floats, Floats, Floats]:
        """As `scores` for one text (`float32[d]`), and its cosine to each text `[n]`: -1 where it was not compared."""
        linear = self.linear.scores(vector[None, :])
        if not self._compares_few:
            similarity = self.vectors @ vector
            return linear, self._nearest(similarity[None, :]), similarity
        cosine = self.centres @ vector
        similarity = np.full(len(self.vectors), -1, np.float32)
        ends = np.append(self.starts[1:], len(self.vectors))
        best: list[int] = np.argpartition(linear[0], -SHORTLIST)[-SHORTLIST:].tolist()
        for label in best:
            own = slice(int(self.starts[label]), int(ends[label]))
            similarity[own] = self.vectors[own] @ vector
            cosine[label] = _mean_of_most(similarity[None, own])[0]
        return linear, cosine[None, :], similarity

    def _nearest(self, similarity: Floats) -> Floats:
        """`Evidence.cosine` from the cosines to all texts, `float32[n, texts]`."""
        found: Floats = np.maximum.reduceat(similarity, self.starts, axis=1)
        ends = np.append(self.starts[1:], len(self.vectors))
        many: list[int] = np.flatnonzero(ends - self.starts >= 2 * ONE_IN).tolist()
        for label in many:
            found[:, label] = _mean_of_most(similarity[:, self.starts[label] : ends[label]])
        return found

    @property
    def _compares_few(self) -> bool:
        return len(self.vectors) > COMPARED and len(self.starts) > SHORTLIST


def _mean_of_most(similarity: Floats) -> Floats:
    """The mean of the greatest of each row of `similarity[n, texts of a class]`: one in `ONE_IN`, at least one."""
    count = max(1, similarity.shape[1] // ONE_IN)
    if count == 1:
        return similarity.max(axis=1)
    return np.partition(similarity, -count, axis=1)[:, -count:].mean(axis=1)


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
