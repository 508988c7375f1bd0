"""What one roster teaches: words, n-grams, and for each encoder a model with its calibration. Pure computation.

`learning` decides when a lesson is learnt and how long it is kept, `cascade` which encoder answers a query.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lmos.encoders.base import Vectors
from lmos.router.background import BACKGROUND, background_folds
from lmos.router.calibration import Calibration
from lmos.router.examples import TrainingSet
from lmos.router.features import SparseRows, count_ngrams
from lmos.router.linear import LinearModel
from lmos.router.model import EmbeddingModel, Evidence, held_out_embeddings, hold_out
from lmos.router.ngrams import NgramModel
from lmos.router.spelling import Spelling
from lmos.router.text import normalise

__all__ = ["Judgement", "Lesson", "Tier", "calibrated", "held_out", "learn", "relearn", "sketch"]

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

FOLDS = 5
# Above this many texts two of the five folds are held out: a fifth of thousands says as much as all of hundreds.
MANY_TEXTS = 3000
FOLDS_OF_MANY = 2

# All background texts together count as much as so many texts for each one of the roster's.
BACKGROUND_SHARE = 2.0
# A background text is no stranger where it is nearer to the roster than this share of its texts are to each other.
AKIN = 0.3

# Unless they are nearer than this, no two texts are akin.
LEAST_KINSHIP = 0.55

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
    """The model on one encoder's vectors (the texts' and then the background's), and its calibration."""

    encoder: str
    model: EmbeddingModel
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class Lesson:
    """A roster's training texts and what was learnt from them. `tiers` has one entry for each encoder, fastest first.

    `background` are the rows of `BACKGROUND` that are strangers here. They are the models' last class.

    `exact` maps the normal form of each example to the agents that have it. `provisional` means that a
    better lesson is being learnt: the calibration is that of the roster before, or only a part of the texts was read.
    """

    training: TrainingSet
    background: Labels
    counts: SparseRows
    ngrams: NgramModel
    spelling: Spelling
    exact: dict[str, frozenset[str]]
    tiers: tuple[Tier, ...]
    provisional: bool = False

    @property
    def labels(self) -> Labels:
        """The class of each text, the background's after the roster's."""
        return np.concatenate([self.training.labels, np.full(len(self.background), len(self.training.capabilities))])

    @property
    def weights(self) -> Floats:
        """How much each text counts in the linear models."""
        count = len(self.training.texts)
        foreign = min(1.0, BACKGROUND_SHARE * count / len(self.background))
        return np.concatenate([np.ones(count), np.full(len(self.background), foreign)]).astype(np.float32)

    def judge(self, tier: int, vector: Vectors, ngrams: Floats) -> Judgement:
        """Judge one text by the tier's vector (`float32[d]`) and n-gram scores (`float32[1, C + 1]`)."""
        chosen = self.tiers[tier]
        linear, nearest, similarity = chosen.model.compare(vector)
        evidence = Evidence(linear, ngrams, nearest)
        capabilities = chosen.calibration.probabilities(evidence)
        return Judgement(
            capabilities[0],
            np.bincount(self.training.agent_of, capabilities[0], len(self.training.agents)).astype(np.float32),
            nearest[0, :-1],
            similarity[: len(self.training.texts)],
            float(chosen.calibration.in_scope(evidence)[0]),
        )


def learn(
    training: TrainingSet,
    vectors: Sequence[Vectors],
    background: Sequence[Vectors],
    encoders: Sequence[str],
    known: frozenset[str],
) -> Lesson:
    """Learn from scratch: `vectors[i][n, d]` are those of `encoders[i]` for the training texts (n >= 1), and
    `background[i]` those for `BACKGROUND`.

    `known` are words that the spelling repair leaves alone. Takes 50 ms for 40 texts, about 10 s for 3,000.
    """
    lesson = _read(training, _strangers(training, vectors, background), known)
    tiers = tuple(
        Tier(name, _embeddings(lesson, own, foreign), Calibration.draft())
        for name, own, foreign in zip(encoders, vectors, background, strict=True)
    )
    return calibrated(replace(lesson, tiers=tiers))


def relearn(
    before: Lesson,
    training: TrainingSet,
    vectors: Sequence[Vectors],
    background: Sequence[Vectors],
    known: frozenset[str],
) -> Lesson:
    """Learn a roster that differs little from that of `before`: a few steps from its models, and its calibration."""
    lesson = _read(training, _strangers(training, vectors, background), known)
    tiers: list[Tier] = []
    for tier, own, foreign in zip(before.tiers, vectors, background, strict=True):
        start = _transfer(tier.model.linear, before.training, training, own)
        model = _embeddings(lesson, own, foreign, start, WARM_ITERATIONS)
        tiers.append(Tier(tier.encoder, model, tier.calibration))
    return replace(lesson, tiers=tuple(tiers), provisional=True)


def calibrated(lesson: Lesson) -> Lesson:
    """The lesson with every tier calibrated by cross-validation on its own examples and the background."""
    folds = _folds(lesson)
    if len(lesson.training.texts) > MANY_TEXTS:
        folds[folds >= FOLDS_OF_MANY] = -1
    rows = np.flatnonzero(folds >= 0)
    tiers = [
        replace(tier, calibration=Calibration.fit(evidence, lesson.labels[rows]))
        for tier, evidence in zip(lesson.tiers, _judged_unseen(lesson, lesson.tiers, folds), strict=True)
    ]
    return replace(lesson, tiers=tuple(tiers), provisional=False)


def held_out(lesson: Lesson, tier: int = -1) -> tuple[Labels, Evidence]:
    """The rows of the examples in the training set, and the evidence of models of this tier that never saw them."""
    folds = _folds(lesson)
    (evidence,) = _judged_unseen(lesson, (lesson.tiers[tier],), folds)
    rows = np.flatnonzero(folds >= 0)
    own = lesson.labels[rows] < evidence.classes
    return rows[own], evidence.take(own)


def _folds(lesson: Lesson) -> Labels:
    """The fold of each text, the background's after the roster's."""
    return np.concatenate([lesson.training.folds(FOLDS), background_folds(FOLDS)[lesson.background]])


def _judged_unseen(lesson: Lesson, tiers: Sequence[Tier], folds: Labels) -> Iterator[Evidence]:
    """For each tier the evidence of the texts with a fold >= 0, by models that never saw them."""

    def ngrams(rows: Labels, own: Labels, classes: int, test: Labels) -> tuple[Floats, ...]:
        model = NgramModel.fit(lesson.counts.take(rows), own, classes)
        return (model.scores(lesson.counts.take(test)),)

    (ngram_scores,) = hold_out(lesson.labels, folds, ngrams, 1)
    for tier in tiers:
        linear, cosine = held_out_embeddings(tier.model.vectors, lesson.labels, folds, lesson.weights)
        yield Evidence(linear, ngram_scores, cosine)


def _strangers(training: TrainingSet, vectors: Sequence[Vectors], background: Sequence[Vectors]) -> Labels:
    """The rows of `BACKGROUND` that do not resemble the roster's texts for any encoder; at least half of all."""
    excess = np.full(len(BACKGROUND), -np.inf, np.float32)
    for own, foreign in zip(vectors, background, strict=True):
        limit = _kinship(own, training)
        excess = np.maximum(excess, (foreign @ own.T).max(axis=1) - limit)
    return np.sort(np.flatnonzero(excess <= max(0.0, float(np.median(excess)))))


def _kinship(vectors: Vectors, training: TrainingSet) -> float:
    """A cosine from which on a text resembles the roster's as these resemble others of their capability."""
    nearest: list[float] = []
    for label in range(len(training.capabilities)):
        own = vectors[training.labels == label]
        if len(own) > 1:
            cosine = own @ own.T
            np.fill_diagonal(cosine, -1)
            nearest += cosine.max(axis=1).tolist()
    return max(LEAST_KINSHIP, float(np.quantile(nearest, AKIN))) if nearest else LEAST_KINSHIP


def _embeddings(
    lesson: Lesson, own: Vectors, foreign: Vectors, start: LinearModel | None = None, iterations: int = 100
) -> EmbeddingModel:
    return EmbeddingModel.fit(
        np.concatenate([own, foreign[lesson.background]]),
        lesson.labels,
        len(lesson.training.capabilities) + 1,
        weights=lesson.weights,
        start=start,
        iterations=iterations,
    )


def sketch(
    whole: TrainingSet,
    training: TrainingSet,
    vectors: Sequence[Vectors],
    background: Sequence[Vectors],
    encoders: Sequence[str],
    known: frozenset[str],
) -> Lesson:
    """As `learn`, from a part of a roster's texts: for the first queries, while the whole is learnt."""
    lesson = learn(training, vectors, background, encoders, known)
    return replace(lesson, exact=_owners(whole), spelling=Spelling(whole.texts, known), provisional=True)


def _owners(training: TrainingSet) -> dict[str, frozenset[str]]:
    """The agents that have each example, by its normal form."""
    found: dict[str, set[str]] = defaultdict(set)
    examples: list[int] = np.flatnonzero(training.is_example).tolist()
    for row in examples:
        found[normalise(training.texts[row])].add(training.capabilities[int(training.labels[row])][0])
    return {text: frozenset(agents) for text, agents in found.items()}


def _read(training: TrainingSet, background: Labels, known: frozenset[str]) -> Lesson:
    """All of a lesson that needs no encoder."""
    rows: list[int] = background.tolist()
    counts = count_ngrams([*training.texts, *(BACKGROUND[row] for row in rows)])
    labels = np.concatenate([training.labels, np.full(len(background), len(training.capabilities))])
    return Lesson(
        training,
        background,
        counts,
        NgramModel.fit(counts, labels, len(training.capabilities) + 1),
        Spelling(training.texts, known),
        _owners(training),
        (),
    )


def _transfer(model: LinearModel, before: TrainingSet, after: TrainingSet, vectors: Vectors) -> LinearModel:
    """`model` for the capabilities of `after`. A new one starts at its mean, away from the mean of all, as long as the
    others are."""
    row_of = {key: row for row, key in enumerate(before.capabilities)}
    classes = len(after.capabilities) + 1
    weights = np.zeros((model.weights.shape[0], classes), np.float32)
    bias = np.full(classes, model.bias.mean(), np.float32)
    weights[:, -1], bias[-1] = model.weights[:, -1], model.bias[-1]  # the background stays
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
