"""Figures of a router on labelled messages. Pure: predictions in, numbers out. Shares are in percent."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmos.router.evaluation.play import Played, Prediction

__all__ = ["Bin", "Confusion", "Group", "Latency", "Measured", "Share", "Summary", "auroc", "measure", "wilson"]

Floats = NDArray[np.float64]

BINS: Final = 15
CURVE_POINTS: Final = 50
KEPT: Final = 0.95
_Z95: Final = 1.959964
_MOST_CONFUSIONS: Final = 20
_SAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, as percent with Wilson's 95 % interval; `None` where there is nothing to count."""

    hits: int
    total: int

    @property
    def percent(self) -> float | None:
        return 100 * self.hits / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.hits, self.total) if self.total else None


@dataclass(frozen=True, slots=True)
class Summary:
    """The router as a whole.

    `agent` and `capability`: the best candidate is right, of messages in scope, also where the decision was to ask or
    decline. `covered`: of those in scope, matched or asked about; `asked`: asked about; `direct`: right where matched.
    `calibration`: expected calibration error of the agent's probability. Of messages that nobody should answer:
    `rejected`; `auroc` of the in-scope score; `rejected_keeping_95`, when 95 % of those in scope are kept.
    """

    agent: Share
    capability: Share
    covered: Share
    asked: Share
    direct: Share
    calibration: float | None
    rejected: Share
    auroc: float | None
    rejected_keeping_95: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """The messages of one agent, language or kind: how many, best candidate right, asked, declined."""

    name: str
    right: Share
    asked: Share
    declined: Share


@dataclass(frozen=True, slots=True)
class Confusion:
    """Messages for `label` whose best candidate is `predicted` (agent and capability each), with some of them."""

    label: tuple[str, str]
    predicted: tuple[str, str]
    count: int
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of similar probability: their mean probability, how many are right (percent), how many there are."""

    probability: float
    right: float
    count: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of one decision."""

    p50: float
    p95: float
    p99: float
    mean: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that a report shows.

    `curve` has (coverage, risk) in percent: when only the surest messages are answered, the share answered and the
    share of these that is wrong. Messages that nobody should answer count as wrong in it.
    """

    summary: Summary
    curve: tuple[tuple[float, float], ...]
    bins: tuple[Bin, ...]
    confusions: tuple[Confusion, ...]
    agents: tuple[Group, ...]
    languages: tuple[Group, ...]
    kinds: tuple[Group, ...]
    latency: Latency
    learning_seconds: float


def measure(played: Played) -> Measured:
    """The figures of `played` (at least one prediction)."""
    found = played.predictions
    own = [one for one in found if not one.row.foreign]
    return Measured(
        summary=_summary(found),
        curve=_curve(found),
        bins=_bins(own),
        confusions=_confusions(own),
        agents=_groups(own, lambda one: one.row.agent),
        languages=_groups(own, lambda one: one.row.language),
        kinds=_groups(own, lambda one: one.row.kind),
        latency=_latency(np.array([one.milliseconds for one in found])),
        learning_seconds=played.learning_seconds,
    )


def _latency(spent: Floats) -> Latency:
    p50, p95, p99 = (float(value) for value in np.percentile(spent, (50, 95, 99)))
    return Latency(p50, p95, p99, float(spent.mean()))


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, in percent; honest for shares near 100 % and small totals."""
    share, z2 = hits / total, _Z95**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return 100 * max(0.0, centre - half), 100 * min(1.0, centre + half)


def auroc(own: Floats, foreign: Floats) -> float:
    """How often one of `own` scores higher than one of `foreign`, in percent; ties count half."""
    _, places, counts = np.unique(np.concatenate([own, foreign]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    wins = float(ranks[: len(own)].sum()) - len(own) * (len(own) + 1) / 2
    return 100 * wins / (len(own) * len(foreign))


def _share(found: Sequence[Prediction], test: Callable[[Prediction], bool]) -> Share:
    return Share(sum(map(test, found)), len(found))


def _outcome(name: str) -> Callable[[Prediction], bool]:
    return lambda one: one.decision.outcome == name


def _summary(found: Sequence[Prediction]) -> Summary:
    own = [one for one in found if not one.row.foreign]
    foreign = [one for one in found if one.row.foreign]
    own_scope = np.array([one.in_scope for one in own])
    foreign_scope = np.array([one.in_scope for one in foreign])
    both = bool(own) and bool(foreign)
    limit = float(np.quantile(own_scope, 1 - KEPT)) if own else 0.0
    return Summary(
        agent=_share(own, lambda one: one.right),
        capability=_share(
            [one for one in own if one.row.capability],
            lambda one: one.right and one.capability == one.row.capability,
        ),
        covered=_share(own, lambda one: one.decision.outcome != "out_of_scope"),
        asked=_share(own, _outcome("ambiguous")),
        direct=_share([one for one in own if one.decision.outcome == "match"], lambda one: one.right),
        calibration=_calibration_error(own),
        rejected=_share(foreign, _outcome("out_of_scope")),
        auroc=auroc(own_scope, foreign_scope) if both else None,
        rejected_keeping_95=100 * float((foreign_scope < limit).mean()) if both else None,
    )


def _calibration_error(own: Sequence[Prediction]) -> float | None:
    if not own:
        return None
    return sum(one.count / len(own) * abs(100 * one.probability - one.right) for one in _bins(own))


def _bins(own: Sequence[Prediction]) -> tuple[Bin, ...]:
    """Equal intervals of probability; empty ones are left out."""
    if not own:
        return ()
    probability = np.array([one.probability for one in own])
    right = np.array([one.right for one in own], np.float64)
    place = np.clip((probability * BINS).astype(int), 0, BINS - 1)
    return tuple(
        Bin(float(probability[chosen].mean()), 100 * float(right[chosen].mean()), int(chosen.sum()))
        for chosen in (place == b for b in range(BINS))
        if chosen.any()
    )


def _curve(found: Sequence[Prediction]) -> tuple[tuple[float, float], ...]:
    """The surest first: declined after all others, then by probability and in-scope score."""
    order = sorted(found, key=lambda one: (one.decision.outcome == "out_of_scope", -one.probability, -one.in_scope))
    wrong = np.cumsum([not one.right for one in order])
    points = min(CURVE_POINTS, len(order))
    counts = np.unique(np.linspace(len(order) / points, len(order), points).round().astype(int))
    return tuple((100 * int(n) / len(order), 100 * float(wrong[n - 1]) / int(n)) for n in counts)


def _confusions(own: Sequence[Prediction]) -> tuple[Confusion, ...]:
    """Which messages go wrong where, most first."""
    samples: dict[tuple[tuple[str, str], tuple[str, str]], list[str]] = defaultdict(list)
    for one in own:
        if not one.right:
            pair = (one.row.agent, one.row.capability), (one.agent or "", one.capability or "")
            samples[pair].append(one.row.text)
    ranked = sorted(samples.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        Confusion(label, predicted, len(texts), tuple(texts[:_SAMPLES]))
        for (label, predicted), texts in ranked[:_MOST_CONFUSIONS]
    )


def _groups(own: Sequence[Prediction], name_of: Callable[[Prediction], str]) -> tuple[Group, ...]:
    """One group for each name, by name; none where no row has one."""
    names = Counter(name_of(one) for one in own)
    if set(names) <= {""}:
        return ()
    members: dict[str, list[Prediction]] = defaultdict(list)
    for one in own:
        members[name_of(one)].append(one)
    return tuple(
        Group(
            name,
            _share(members[name], lambda one: one.right),
            _share(members[name], _outcome("ambiguous")),
            _share(members[name], _outcome("out_of_scope")),
        )
        for name in sorted(members)
    )
