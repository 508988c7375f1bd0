"""`Calibration`: turns evidence into honest probabilities and an in-scope score. Its constants come from the examples.

Each example is scored by a model that never saw it (`model.hold_out`); the weights, means and thresholds that fit those
scores are used for queries. Nothing is tuned by hand, so nothing has to be tuned for another encoder or roster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmos.router.linear import minimise, softmax
from lmos.router.model import Evidence

__all__ = ["KEEP", "Calibration"]

Floats = NDArray[np.float32]
Moments = tuple[float, float]

# Share of the customers' own questions that must not be declined.
KEEP = 0.97
# The same within a conversation, where what looks foreign is most often a follow-up.
KEEP_TALKING = 0.99
# Share of them that looks usual.
USUAL = 0.9
ODDS_FLOOR = 1e-6

# What examples of middling rosters give: used until a roster has examples of its own, and then less with each of them.
PRIOR_WEIGHTS = np.array([1.6, 0.6, 4.0], np.float32)
PRIOR_COSINE = (0.62, 0.15)
PRIOR_ODDS = (2.5, 2.5)
PRIOR_MARGIN = (5.0, 5.0)
PRIOR_EXAMPLES = 6.0
PRIOR_LEAST = -3.5

# The parts of the in-scope score: nearest text, agents' words against the background's, best capability against others.
PARTS = np.array([1.0, 1.0, 0.5], np.float32)

# From a few examples a far quantile cannot be read. The limit to decline at is then halfway between the least of the
# examples (their `LOW` quantile) and the most of the background (its `HIGH` quantile). With `MANY_EXAMPLES`, that and
# the quantile count the same.
LOW, HIGH = 0.05, 0.99
MANY_EXAMPLES = 60.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """`weights` of the three kinds of evidence; `cosine`: mean and deviation of the examples' nearest cosine.

    `centre` and `spread` (`float32[3]`) bring the parts of the in-scope score to one scale. A text is in scope from
    `threshold` on, looks as the roster's own usually do from `typical` on, and cannot even be part of a conversation
    below `foreign`. `examples` is the number of examples that all this was learnt from; 0 means the prior.
    """

    weights: Floats
    cosine: Moments
    centre: Floats
    spread: Floats
    threshold: float = 0.0
    foreign: float = 0.0
    typical: float = 0.0
    examples: int = 0

    @classmethod
    def draft(cls) -> Calibration:
        """What holds before anything was held out: it weighs evidence as usual and takes all for in scope."""
        return cls(PRIOR_WEIGHTS, PRIOR_COSINE, np.zeros(3, np.float32), np.full(3, np.inf, np.float32))

    @classmethod
    def fit(cls, evidence: Evidence, labels: NDArray[np.int64], keep: float = KEEP) -> Calibration:
        """Learn from held-out evidence of examples and background texts, and their classes.

        The last class is the background. Without examples the prior says how examples would look.
        """
        own = labels < evidence.classes
        count = int(own.sum())
        weights = _fit_weights(evidence.take(own), labels[own]) if count else PRIOR_WEIGHTS
        parts = _parts(evidence, weights)
        priors = (PRIOR_COSINE, PRIOR_MARGIN, PRIOR_ODDS)
        moments = [_moments(part, prior) for part, prior in zip(parts[own].T, priors, strict=True)]
        centre = np.array([mean for mean, _ in moments], np.float32)
        draft = cls(weights, moments[0], centre, _spread(parts, own, moments), examples=count)
        scope = draft._weigh(parts)
        limit = _Limits(scope[own], scope[~own])
        threshold = limit.keeping(keep)
        return cls(
            weights,
            draft.cosine,
            centre,
            draft.spread,
            threshold,
            min(threshold, limit.keeping(KEEP_TALKING)),
            max(threshold, limit.usual()),
            count,
        )

    def probabilities(self, evidence: Evidence) -> Floats:
        """Probability of each capability, `float32[n, C]`, given that the text is in scope."""
        return softmax(_mix(evidence, self.weights))

    def in_scope(self, evidence: Evidence) -> Floats:
        """How much each text looks like the roster's own, `float32[n]`; below `threshold` it does not."""
        return self._weigh(_parts(evidence, self.weights))

    def _weigh(self, parts: Floats) -> Floats:
        return (((parts - self.centre) / self.spread) @ PARTS).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Limits:
    """In-scope scores of examples and of background texts, both held out."""

    own: Floats
    background: Floats

    def keeping(self, share: float) -> float:
        """The limit that keeps `share` of the examples."""
        middle = (self._least(1 - LOW) + float(np.quantile(self.background, HIGH))) / 2
        trust = len(self.own) / (len(self.own) + MANY_EXAMPLES)
        return trust * self._least(share) + (1 - trust) * middle

    def usual(self) -> float:
        """The limit from which on a text looks usual: with few examples, their middle."""
        trust = len(self.own) / (len(self.own) + MANY_EXAMPLES)
        return trust * float(np.quantile(self.own, 1 - USUAL)) if len(self.own) else 0.0

    def _least(self, share: float) -> float:
        """What `share` of the examples exceed; near the prior where they are few."""
        trust = len(self.own) / (len(self.own) + PRIOR_EXAMPLES)
        found = float(np.quantile(self.own, 1 - share)) if len(self.own) else 0.0
        return trust * found + (1 - trust) * PRIOR_LEAST


def _parts(evidence: Evidence, weights: Floats) -> Floats:
    """The parts of the in-scope score, `float32[n, 3]`."""
    best = softmax(_mix(evidence, weights)).max(axis=1)
    odds = np.log((best + ODDS_FLOOR) / (1 - best + ODDS_FLOOR))
    mixed = weights[0] * evidence.linear + weights[1] * evidence.ngrams
    most = mixed[:, :-1].max(axis=1, keepdims=True)
    total = np.log(np.exp(mixed[:, :-1] - most).sum(axis=1)) + most[:, 0]
    return np.stack([evidence.cosine[:, :-1].max(axis=1), total - mixed[:, -1], odds], axis=1)


def _spread(parts: Floats, own: NDArray[np.bool_], moments: list[Moments]) -> Floats:
    """Deviations of examples and background together: unlike those of a few examples, they are never near 0."""
    foreign = parts[~own]
    share = max(int(own.sum()), PRIOR_EXAMPLES) / (max(int(own.sum()), PRIOR_EXAMPLES) + len(foreign))
    mean, deviation = np.array(moments, np.float32).T
    between = share * (1 - share) * (mean - foreign.mean(axis=0)) ** 2
    within = share * deviation**2 + (1 - share) * foreign.var(axis=0)
    return np.sqrt(between + within + 1e-6).astype(np.float32)


def _mix(evidence: Evidence, weights: Floats) -> Floats:
    """What speaks for each of the agents' capabilities."""
    mixed: Floats = weights[0] * evidence.linear + weights[1] * evidence.ngrams + weights[2] * evidence.cosine
    return mixed[:, :-1]


def _moments(values: Floats, prior: Moments) -> Moments:
    """Mean and deviation of `values`, with the prior counting as `PRIOR_EXAMPLES` of them."""
    total = len(values) + PRIOR_EXAMPLES
    mean = (float(values.sum()) + PRIOR_EXAMPLES * prior[0]) / total
    spread = float(((values - mean) ** 2).sum()) + PRIOR_EXAMPLES * (prior[1] ** 2 + (prior[0] - mean) ** 2)
    return mean, (spread / total) ** 0.5


def _fit_weights(evidence: Evidence, labels: NDArray[np.int64]) -> Floats:
    """Weights >= 0 that maximise the likelihood of `labels`, near the prior where examples are few. Convex."""
    count, classes = len(labels), evidence.classes
    parts = np.stack([evidence.linear, evidence.ngrams, evidence.cosine])[:, :, :-1]
    parts = parts - parts.mean(axis=2, keepdims=True)
    scale = np.sqrt((parts**2).mean(axis=(1, 2))) + 1e-6
    parts /= scale[:, None, None]
    slack = 2 / (count + 4)  # a text may be labelled wrongly: without this, separable examples give endless certainty
    target = np.full((count, classes), slack / classes, np.float32)
    target[np.arange(count), labels] += 1 - slack
    centre = PRIOR_WEIGHTS * scale
    pull = 1 / (centre**2 + 0.01)

    def objective(point: Floats) -> tuple[float, Floats]:
        used = np.maximum(point, 0)
        scores = np.tensordot(used, parts, 1)
        scores -= scores.max(axis=1, keepdims=True)
        log_total = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        loss = float((target * (log_total - scores)).sum())
        residual = np.exp(scores - log_total) - target
        gradient = np.tensordot(parts, residual, 2)
        gradient = np.where((point < 0) & (gradient > 0), 0, gradient)
        away = point - centre
        return loss + float((pull * away**2).sum()), (gradient + 2 * pull * away).astype(np.float32)

    return np.maximum(minimise(objective, centre.astype(np.float32), 60), 0) / scale
