"""Figures of a router on a test set."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.router.datasets import Row
from lmos.router.base import Classification, ClassificationRequest, Classifier, Roster

BINS = 15
Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares are in percent. `interval` is half of the 95 % interval of `agent`."""

    texts: int
    capability: float
    agent: float
    interval: float
    calibration_error: float
    asked: float
    right_when_direct: float
    covered: float
    strangers_rejected: float | None
    strangers_auroc: float | None
    strangers_rejected_keeping_95: float | None
    milliseconds: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def classify_all(
    classifier: Classifier, roster: Roster, rows: Sequence[Row]
) -> tuple[list[Classification], list[float]]:
    """The decisions on `rows`, each alone, and the milliseconds that each took."""
    found: list[Classification] = []
    spent: list[float] = []
    for row in rows:
        start = time.perf_counter()
        found.append(await classifier.classify(ClassificationRequest(row.text, roster)))
        spent.append((time.perf_counter() - start) * 1000)
    return found, spent


def figures(
    rows: Sequence[Row], found: Sequence[Classification], spent: Sequence[float], strangers: Sequence[Classification]
) -> Figures:
    best = [one.candidates[0] for one in found]
    right = np.array([b.agent == row.agent for b, row in zip(best, rows, strict=True)])
    exact = np.array(
        [b.agent == row.agent and b.capability == row.capability for b, row in zip(best, rows, strict=True)]
    )
    probability = np.array([b.score for b in best])
    asked = np.array([one.outcome == "ambiguous" for one in found])
    declined = np.array([one.outcome == "out_of_scope" for one in found])
    own = np.array([one.in_scope or 0.0 for one in found])
    foreign = np.array([one.in_scope or 0.0 for one in strangers])
    rejected = [one.outcome == "out_of_scope" for one in strangers]
    direct = ~asked & ~declined
    share = float(right.mean())
    return Figures(
        texts=len(rows),
        capability=100 * float(exact.mean()),
        agent=100 * share,
        interval=100 * Z95 * math.sqrt(share * (1 - share) / len(rows)),
        calibration_error=calibration_error(probability, right),
        asked=100 * float(asked.mean()),
        right_when_direct=100 * float(right[direct].mean()),
        covered=100 * float(1 - declined.mean()),
        strangers_rejected=100 * float(np.mean(rejected)) if strangers else None,
        strangers_auroc=100 * auroc(own, foreign) if strangers else None,
        strangers_rejected_keeping_95=100 * float((foreign < np.quantile(own, 0.05)).mean()) if strangers else None,
        milliseconds=float(np.median(spent)),
    )


def calibration_error(probability: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error in percent, over 15 equal bins."""
    bins = np.clip((probability * BINS).astype(int), 0, BINS - 1)
    return 100 * sum(
        float((bins == b).mean()) * abs(float(probability[bins == b].mean()) - float(right[bins == b].mean()))
        for b in range(BINS)
        if (bins == b).any()
    )


def auroc(own: NDArray[np.float64], foreign: NDArray[np.float64]) -> float:
    """How often one of `own` scores higher than one of `foreign`; ties count half."""
    values, places, counts = np.unique(np.concatenate([own, foreign]), return_inverse=True, return_counts=True)
    del values
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return float((ranks[: len(own)].sum() - len(own) * (len(own) + 1) / 2) / (len(own) * len(foreign)))
