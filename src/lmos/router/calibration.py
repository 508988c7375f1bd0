"""`Calibration`: turns evidence into honest probabilities and an in-scope score. Its constants come from the examples.

Each example is scored by a model that never saw it (`model.cross_validate`); the weights, means and thresholds that fit
those scores are used for queries. Nothing is tuned by hand, so nothing has to be tuned for another encoder or roster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmos.router.linear import minimise, softmax
from lmos.router.model import Evidence

__all__ = ["KEEP", "Calibration"]

Floats = NDArray[np.float32]

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
PRIOR_EXAMPLES = 6.0
PRIOR_SCOPE = -2.4


@dataclass(frozen=True, slots=True)
class Calibration:
    """`weights` of the three kinds of evidence; mean and deviation of the two parts of the in-scope score.

    A text is in scope from `threshold` on, looks as the roster's own usually do from `typical` on, and cannot even be
    part of a conversation below `foreign`. `examples` is the number of examples that all this was learnt from; 0 means
    the prior alone.
    """

    weights: Floats
    cosine: tuple[float, float]
    odds: tuple[float, float]
    threshold: float
    foreign: float
    typical: float
    examples: int

    @classmethod
    def prior(cls) -> Calibration:
        """The calibration of a roster without examples."""
        return cls(PRIOR_WEIGHTS, PRIOR_COSINE, PRIOR_ODDS, PRIOR_SCOPE, PRIOR_SCOPE, 0.0, 0)

    @classmethod
    def fit(cls, evidence: Evidence, labels: NDArray[np.int64], keep: float = KEEP) -> Calibration:
        """Learn from held-out evidence of examples and their true capabilities; the prior where there are none."""
        count = len(labels)
        if not count:
            return cls.prior()
        weights = _fit_weights(evidence, labels)
        draft = cls(weights, PRIOR_COSINE, PRIOR_ODDS, PRIOR_SCOPE, PRIOR_SCOPE, 0.0, count)
        cosine = _moments(evidence.cosine.max(axis=1), PRIOR_COSINE)
        odds = _moments(_log_odds(draft.probabilities(evidence)), PRIOR_ODDS)
        draft = cls(weights, cosine, odds, PRIOR_SCOPE, PRIOR_SCOPE, 0.0, count)
        scope = draft.in_scope(evidence, draft.probabilities(evidence))
        share = count / (count + PRIOR_EXAMPLES)

        def kept(part: float) -> float:
            return share * float(np.quantile(scope, 1 - part)) + (1 - share) * PRIOR_SCOPE

        threshold = kept(keep)
        typical = max(threshold, float(np.quantile(scope, 1 - USUAL)))
        return cls(weights, cosine, odds, threshold, min(threshold, kept(KEEP_TALKING)), typical, count)

    def probabilities(self, evidence: Evidence) -> Floats:
        """Probability of each capability, `float32[n, C]`, given that the text is in scope."""
        return softmax(_mix(evidence, self.weights))

    def in_scope(self, evidence: Evidence, probabilities: Floats) -> Floats:
        """How much each text looks like the roster's own, `float32[n]`; below `threshold` it does not."""
        cosine, odds = evidence.cosine.max(axis=1), _log_odds(probabilities)
        return (cosine - self.cosine[0]) / self.cosine[1] + (odds - self.odds[0]) / self.odds[1]


def _mix(evidence: Evidence, weights: Floats) -> Floats:
    return weights[0] * evidence.linear + weights[1] * evidence.ngrams + weights[2] * evidence.cosine


def _log_odds(probabilities: Floats) -> Floats:
    best = probabilities.max(axis=1)
    return np.log((best + ODDS_FLOOR) / (1 - best + ODDS_FLOOR))


def _moments(values: Floats, prior: tuple[float, float]) -> tuple[float, float]:
    """Mean and deviation of `values`, with the prior counting as `PRIOR_EXAMPLES` of them."""
    total = len(values) + PRIOR_EXAMPLES
    mean = (float(values.sum()) + PRIOR_EXAMPLES * prior[0]) / total
    spread = float(((values - mean) ** 2).sum()) + PRIOR_EXAMPLES * (prior[1] ** 2 + (prior[0] - mean) ** 2)
    return mean, (spread / total) ** 0.5


def _fit_weights(evidence: Evidence, labels: NDArray[np.int64]) -> Floats:
    """Weights >= 0 that maximise the likelihood of `labels`, near the prior where examples are few. Convex."""
    count, classes = evidence.linear.shape
    parts = np.stack([evidence.linear, evidence.ngrams, evidence.cosine])
    parts = parts - parts.mean(axis=2, keepdims=True)
    scale = np.sqrt((parts**2).mean(axis=(1, 2))) + 1e-6
    parts /= scale[:, None, None]
    slack = 1 / (count + 2)  # a text may be labelled wrongly: without this, separable examples give endless certainty
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
