"""`python -m benchmarks.router.changes DATA`: what a change of the roster costs, on CLINC150 with ten examples each.

An agent with 15 capabilities joins nine others; then it leaves, and sure matches of the others that are lost are
counted. Also: the time of one decision.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.router.datasets import NONE, of_split, read_rows, roster_of
from benchmarks.router.measure import classify_all
from benchmarks.router.memory import SETTINGS
from lmos.encoders.registry import encoder_named
from lmos.router.base import Classification, ClassificationRequest, Roster
from lmos.router.vector import VectorClassifier

JOINING = "travel"
SAMPLE = 600


async def change(data: Path, name: str) -> dict[str, Any]:
    """The figures of one setting. Texts of the joining agent have been read by no cache before."""
    seeds = of_split(read_rows(data / "clinc150" / "fewshot.csv"), "train_10")
    test = [row for row in of_split(read_rows(data / "clinc150" / "data.csv"), "valid") if row.agent != NONE][::5]
    whole = roster_of(seeds)
    base = Roster(tuple(agent for agent in whole.agents if agent.name != JOINING))
    classifier = VectorClassifier(*(encoder_named(part) for part in SETTINGS[name]))
    learner = classifier.cascade.learner
    await learner.settled(base)
    before = [row for row in test if row.agent != JOINING][:SAMPLE]
    alone, spent = await classify_all(classifier, base, before)
    start = time.perf_counter()
    await classifier.classify(ClassificationRequest("book a flight", whole))
    live = time.perf_counter() - start
    own = [row for row in test if row.agent == JOINING]
    first, _ = await classify_all(classifier, whole, own)
    await learner.settled(whole)
    settled = time.perf_counter() - start
    later, _ = await classify_all(classifier, whole, own)
    joined, _ = await classify_all(classifier, whole, before)

    def right(found: list[str]) -> float:
        return 100 * float(np.mean([agent == JOINING for agent in found]))

    sure = [(a, b) for a, b in zip(joined, alone, strict=True) if a.outcome == "match"]
    lost = 100 * float(np.mean([b.outcome != "match" or b.agents != a.agents for a, b in sure]))
    return {
        "encoder": name,
        "milliseconds": float(np.median(spent)),
        "live_seconds": live,
        "live_right": right(_best(first)),
        "settled_seconds": settled,
        "settled_right": right(_best(later)),
        "sure_matches": len(sure),
        "sure_matches_lost": lost,
    }


def _best(found: list[Classification]) -> list[str]:
    return [one.candidates[0].agent for one in found]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.router.changes", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with the routing sets")
    parser.add_argument("--encoder", default="cascade", choices=sorted(SETTINGS))
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(change(arguments.data, arguments.encoder)), indent=1))


if __name__ == "__main__":
    main()
