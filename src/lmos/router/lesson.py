"""What one roster teaches: words, n-grams, and for each encoder a model with its calibration. Pure computation.

`learning` decides when a lesson is learnt and how long it is kept, `cascade` which encoder answers a query.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lmos.encoders.base import Vectors
from lmos.router.calibration import Calibration
from lmos.router.examples import TrainingSet
from lmos.router.features import SparseRows, count_ngrams
from lmos.router.linear import LinearModel
from lmos.router.model import EmbeddingModel, Evidence, held_out_embeddings, hold_out
from lmos.router.ngrams import NgramModel
from lmos.router.spelling import Spelling
from lmos.router.text import normalise

__all__ = ["Judgement", "Lesson", "Tier", "calibrated", "learn", "relearn"]

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

FOLDS = 5
# Above this many texts two of the five folds are held out: a fifth of thousands says as much as all of hundreds.
MANY_TEXTS = 3000
FOLDS_OF_MANY = 2

# Steps from the model of the roster before: the change of one agent has settled after these.
WARM_ITERATIONS = 8


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a tier says of one text: probabilities of capabilities `[C]` and agents `[A]`, the cosine of each
    capability's nearest text `[C]` and of each training text `[n]`, and the in-scope score."""

    capabilities: Floats
    agents: Floats
    nearest: Floats
    similarity: Floats
    scope: float


@dataclass(frozen=True, slots=True)
class Tier:
    """The model on one encoder's vectors, and its calibration."""

    encoder: str
    model: EmbeddingModel
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class Lesson:
    """A roster's training texts and what was learnt from them. `tiers` has one entry for each encoder, fastest first.

    `exact` maps the normal form of each example to the agents that have it. `provisional` means that the calibration
    is still that of the roster before.
    """

    training: TrainingSet
    counts: SparseRows
    ngrams: NgramModel
    spelling: Spelling
    exact: dict[str, frozenset[str]]
    tiers: tuple[Tier, ...]
    provisional: bool = False

    def judge(self, tier: int, vector: Vectors, ngrams: Floats) -> Judgement:
        """Judge one text by its vector (`float32[d]`, of the tier's encoder) and n-gram scores (`float32[1, C]`)."""
        chosen = self.tiers[tier]
        similarity = chosen.model.vectors @ vector
        nearest = np.maximum.reduceat(similarity, chosen.model.starts)
        evidence = Evidence(chosen.model.linear.scores(vector[None, :]), ngrams, nearest[None, :])
        capabilities = chosen.calibration.probabilities(evidence)
        return Judgement(
            capabilities[0],
            np.bincount(self.training.agent_of, capabilities[0], len(self.training.agents)).astype(np.float32),
            nearest,
            similarity,
            float(chosen.calibration.in_scope(evidence, capabilities)[0]),
        )


def learn(training: TrainingSet, vectors: Sequence[Vectors], encoders: Sequence[str], known: frozenset[str]) -> Lesson:
    """Learn from scratch: `vectors[i][n, d]` are those of `encoders[i]` for the training texts (n >= 1).

    `known` are words that the spelling repair leaves alone. Takes 20 ms for 40 texts, about 10 s for 3,000.
    """
    lesson = _read(training, known)
    classes = len(training.capabilities)
    tiers = tuple(
        Tier(name, EmbeddingModel.fit(own, training.labels, classes), Calibration.prior())
        for name, own in zip(encoders, vectors, strict=True)
    )
    return calibrated(replace(lesson, tiers=tiers))


def relearn(before: Lesson, training: TrainingSet, vectors: Sequence[Vectors], known: frozenset[str]) -> Lesson:
    """Learn a roster that differs little from that of `before`: a few steps from its models, and its calibration."""
    lesson = _read(training, known)
    tiers = tuple(
        Tier(
            tier.encoder,
            EmbeddingModel.fit(
                own,
                training.labels,
                len(training.capabilities),
                start=_transfer(tier.model.linear, before.training, training, own),
                iterations=WARM_ITERATIONS,
            ),
            tier.calibration,
        )
        for tier, own in zip(before.tiers, vectors, strict=True)
    )
    return replace(lesson, tiers=tiers, provisional=True)


def calibrated(lesson: Lesson) -> Lesson:
    """The lesson with every tier calibrated by cross-validation on its own examples."""
    training = lesson.training
    folds = training.folds(FOLDS)
    if len(training.texts) > MANY_TEXTS:
        folds[folds >= FOLDS_OF_MANY] = -1
    held = folds >= 0
    labels = training.labels

    def ngrams(rows: Labels, own: Labels, classes: int, test: Labels) -> tuple[Floats, ...]:
        model = NgramModel.fit(lesson.counts.take(rows), own, classes)
        return (model.scores(lesson.counts.take(test)),)

    (ngram_scores,) = hold_out(labels, folds, ngrams, 1)
    tiers: list[Tier] = []
    for tier in lesson.tiers:
        linear, cosine = held_out_embeddings(tier.model.vectors, labels, folds)
        calibration = Calibration.fit(Evidence(linear, ngram_scores, cosine), labels[held])
        tiers.append(replace(tier, calibration=calibration))
    return replace(lesson, tiers=tuple(tiers), provisional=False)


def _read(training: TrainingSet, known: frozenset[str]) -> Lesson:
    """All of a lesson that needs no encoder."""
    counts = count_ngrams(training.texts)
    exact: dict[str, set[str]] = defaultdict(set)
    examples: list[int] = np.flatnonzero(training.is_example).tolist()
    for row in examples:
        exact[normalise(training.texts[row])].add(training.capabilities[int(training.labels[row])][0])
    return Lesson(
        training,
        counts,
        NgramModel.fit(counts, training.labels, len(training.capabilities)),
        Spelling(training.texts, known),
        {text: frozenset(agents) for text, agents in exact.items()},
        (),
    )


def _transfer(model: LinearModel, before: TrainingSet, after: TrainingSet, vectors: Vectors) -> LinearModel:
    """`model` for the capabilities of `after`. A new one starts at its mean, away from the mean of all, as long as the
    others are."""
    row_of = {key: row for row, key in enumerate(before.capabilities)}
    weights = np.zeros((model.weights.shape[0], len(after.capabilities)), np.float32)
    bias = np.full(len(after.capabilities), model.bias.mean(), np.float32)
    length = float(np.linalg.norm(model.weights, axis=0).mean())
    centre = vectors.mean(axis=0)
    for label, key in enumerate(after.capabilities):
        known = row_of.get(key)
        if known is not None:
            weights[:, label], bias[label] = model.weights[:, known], model.bias[known]
        else:
            away = vectors[after.labels == label].mean(axis=0) - centre
            weights[:, label] = away * (length / max(float(np.linalg.norm(away)), 1e-6))
    return LinearModel(weights, bias)
