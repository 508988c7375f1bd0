"""Eclipse LMOS's two vector routers, for comparison: kNN-5 by majority, and the newer ranker with its thresholds.

Written from their behaviour; `tests/benchmarks/test_router_baselines.py` holds them equal to the originals' recorded
answers. The ranker reads relevance scores (cosine + 1) / 2, as its vector store gives them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 5
RANKED = 15


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When the ranker decides instead of asking a language model; the defaults are those it ships with."""

    score: float = 5.0
    mean: float = 0.8
    distance: float = 4.0
    relative_distance: float = 0.3


def majority(agents: Sequence[str]) -> str | None:
    """The most frequent of the nearest examples' agents, nearest first; of equals, the one that comes first."""
    return Counter(agents).most_common(1)[0][0] if agents else None


def ranked(hits: Sequence[tuple[str, float]], thresholds: Thresholds) -> str | None:
    """The agent of `hits` (agent, score) that passes all thresholds, else `None`. A single hit always passes."""
    if len(hits) == 1:
        return hits[0][0]
    scores: dict[str, list[float]] = defaultdict(list)
    for agent, score in hits:
        scores[agent].append(score)
    order = sorted(scores, key=lambda agent: -sum(scores[agent]))
    if not order:
        return None
    best = scores[order[0]]
    if sum(best) < thresholds.score or sum(best) / len(best) < thresholds.mean:
        return None
    if len(order) > 1:
        distance = sum(best) - sum(scores[order[1]])
        if distance < thresholds.distance or distance / len(best) < thresholds.relative_distance:
            return None
    return order[0]


def nearest(similarity: NDArray[np.float32], agents: Sequence[str], count: int) -> list[list[tuple[str, float]]]:
    """For each row of `similarity[queries, examples]` the `count` nearest examples: agent and cosine, best first."""
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    found: list[list[tuple[str, float]]] = []
    for row, columns in enumerate(order):
        best: list[int] = columns.tolist()
        found.append([(agents[column], float(similarity[row, column])) for column in best])
    return found


def knn(similarity: NDArray[np.float32], agents: Sequence[str]) -> list[str | None]:
    """What the kNN router answers for each query."""
    return [majority([agent for agent, _ in hits]) for hits in nearest(similarity, agents, NEIGHBOURS)]


def ranker(similarity: NDArray[np.float32], agents: Sequence[str]) -> list[str | None]:
    """What the ranker answers for each query; `None` where it leaves the decision to a language model."""
    found = nearest(similarity, agents, RANKED)
    return [ranked([(agent, (cosine + 1) / 2) for agent, cosine in hits], Thresholds()) for hits in found]
