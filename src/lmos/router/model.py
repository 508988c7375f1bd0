"""`CapabilityModel`: what speaks for each capability in a text. Learnt from a `TrainingSet`; decides nothing itself.

Capabilities, not agents, are the classes: an agent's capabilities may have little in common, and summing their
probabilities is more accurate than learning agents directly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmos.router.features import SparseRows
from lmos.router.linear import LinearModel, fit_linear
from lmos.router.ngrams import NgramModel

__all__ = ["CapabilityModel", "Evidence", "cross_validate"]

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Scores of n texts for C capabilities, each `float32[n, C]`.

    `linear` and `ngrams` have rows of mean 0; `cosine` is that of the capability's nearest training text.
    """

    linear: Floats
    ngrams: Floats
    cosine: Floats


@dataclass(frozen=True, slots=True)
class CapabilityModel:
    """Fitted on `vectors[n, d]` of the training texts, `starts[C]` being where each capability's texts begin."""

    linear: LinearModel
    ngrams: NgramModel
    vectors: Floats
    starts: Labels

    @classmethod
    def fit(
        cls, vectors: Floats, counts: SparseRows, labels: Labels, classes: int, start: LinearModel | None = None
    ) -> CapabilityModel:
        """Learn; `labels` ascend and name every class. `start` is a linear model to go on from."""
        return cls(
            fit_linear(vectors, labels, classes, start=start),
            NgramModel.fit(counts, labels, classes),
            vectors,
            np.searchsorted(labels, np.arange(classes)),
        )

    def evidence(self, vectors: Floats, counts: SparseRows) -> Evidence:
        """What the texts with these vectors and n-grams (`count_ngrams`) have in common with each capability."""
        return Evidence(
            linear=self.linear.scores(vectors),
            ngrams=self.ngrams.scores(counts),
            cosine=np.maximum.reduceat(vectors @ self.vectors.T, self.starts, axis=1),
        )


def cross_validate(vectors: Floats, counts: SparseRows, labels: Labels, folds: Labels) -> Evidence:
    """The evidence that each text with a fold >= 0 would have got from a model that never saw it, in order of rows.

    A capability whose only text is held out is absent in that fold: it gets the least evidence of any.
    """
    classes = int(labels.max()) + 1
    held = np.flatnonzero(folds >= 0)
    linear, ngrams, cosine = (np.zeros((len(labels), classes), np.float32) for _ in range(3))
    for fold in range(int(folds.max(initial=-1)) + 1):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        present, compact = np.unique(labels[train], return_inverse=True)
        model = CapabilityModel.fit(vectors[train], counts.take(train), compact.astype(np.int64), len(present))
        found = model.evidence(vectors[test], counts.take(test))
        for whole, part in ((linear, found.linear), (ngrams, found.ngrams), (cosine, found.cosine)):
            rows = np.repeat(part.min(axis=1, keepdims=True), classes, axis=1)
            rows[:, present] = part
            whole[test] = rows
    return Evidence(linear[held], ngrams[held], cosine[held])
