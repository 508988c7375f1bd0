"""`python -m benchmarks.router DATA`: accuracy, abstention, calibration and latency of the router, and LMOS's for
comparison, on the routing sets in the folder DATA (`lmos`, `clinc150`, `ohf_intents`). Nothing is tuned on a test set.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.router.baselines import knn, ranker
from benchmarks.router.datasets import NONE, Row, first_of_each, of_split, read_rows, roster_of, with_typos
from benchmarks.router.measure import Figures, classify_all, figures
from lmos.encoders.base import Encoder
from lmos.encoders.registry import encoder_named
from lmos.router.base import Roster
from lmos.router.vector import VectorClassifier

ENCODERS: dict[str, tuple[str, ...]] = {"static": ("static",), "onnx": ("onnx",), "cascade": ("static", "onnx")}
HEAD = (
    f"{'set':22}{'encoder':9}{'seeds':>6}{'texts':>6}{'capab.':>8}{'agent':>8}{'±':>6}{'ECE':>6}{'asked':>7}{'direct':>8}"
    f"{'cover':>7}{'reject':>8}{'AUROC':>7}{'rej@95':>8}{'ms':>7}{'learn s':>9}"
)


@dataclass(frozen=True, slots=True)
class Case:
    """Seeds, test rows and strangers of one line of the table."""

    name: str
    roster: Roster
    test: list[Row]
    strangers: list[Row]


def cases(data: Path) -> list[Case]:
    lmos, clinc = read_rows(data / "lmos" / "data.csv"), read_rows(data / "clinc150" / "data.csv")
    few = of_split(read_rows(data / "clinc150" / "fewshot.csv"), "train_10")
    german = [row for row in read_rows(data / "ohf_intents" / "data.csv") if row.language == "de"]
    about = data / "lmos" / "agents.json"
    seeds, test = of_split(lmos, "train"), of_split(lmos, "test")
    strangers = [row for row in of_split(clinc, "test") if row.agent == NONE]
    own = [row for row in of_split(clinc, "test") if row.agent != NONE]
    every = [row for row in of_split(clinc, "train") if row.agent != NONE]
    return [
        Case("LMOS, 5 each", roster_of(first_of_each(seeds, 5), about), test, strangers),
        Case("LMOS, 10 each", roster_of(first_of_each(seeds, 10), about), test, strangers),
        Case("LMOS, 3000", roster_of(seeds, about), test, strangers),
        Case("LMOS, 3000, typos", roster_of(seeds, about), with_typos(test), []),
        Case("CLINC150, 10 each", roster_of(few), own, strangers),
        Case("CLINC150, all", roster_of(every), own, strangers),
        Case("Home Assistant, German", roster_of(of_split(german, "train")), of_split(german, "test"), []),
    ]


async def run(case: Case, encoder: str) -> tuple[Figures, float]:
    """The figures of one line, and the seconds that learning took."""
    classifier = VectorClassifier(*(encoder_named(name) for name in ENCODERS[encoder]))
    start = time.perf_counter()
    await classifier.cascade.learner.settled(case.roster)
    learnt = time.perf_counter() - start
    found, spent = await classify_all(classifier, case.roster, case.test)
    strangers, _ = await classify_all(classifier, case.roster, case.strangers)
    return figures(case.test, found, spent, strangers), learnt


async def baseline(case: Case, encoder: Encoder) -> str:
    """LMOS's routers on the same seeds and vectors: examples only, as they read nothing else."""
    seeds = [(text, a.name) for a in case.roster.agents for c in a.capabilities for text in c.examples]
    agents = [agent for _, agent in seeds]
    own = await encoder.encode([text for text, _ in seeds])
    queries = await encoder.encode([row.text for row in case.test])
    similarity = (queries @ own.T).astype(np.float32)
    truth = [row.agent for row in case.test]
    votes = knn(similarity, agents)
    sure = ranker(similarity, agents)
    right = np.mean([found == agent for found, agent in zip(votes, truth, strict=True)])
    answered = np.array([found is not None for found in sure])
    correct = np.array([found == agent for found, agent in zip(sure, truth, strict=True)])
    share = f"{100 * correct[answered].mean():.2f} right" if answered.any() else "none"
    return (
        f"{case.name:22}{encoder.name[:8]:9}{len(seeds):6}{len(truth):6}  LMOS kNN-5: agent {100 * right:.2f}; "
        f"LMOS ranker answers {100 * answered.mean():.1f} % ({share})"
    )


def line(case: Case, encoder: str, found: Figures, learnt: float) -> str:
    def cell(value: float | None, width: int, digits: int = 1) -> str:
        return f"{'-' if value is None else format(value, f'.{digits}f'):>{width}}"

    seeds = sum(len(c.examples) for agent in case.roster.agents for c in agent.capabilities)
    return (
        f"{case.name:22}{encoder:9}{seeds:6}{found.texts:6}{found.capability:8.2f}{found.agent:8.2f}{found.interval:6.2f}"
        f"{found.calibration_error:6.2f}{found.asked:7.1f}{found.right_when_direct:8.2f}{found.covered:7.1f}"
        f"{cell(found.strangers_rejected, 8)}{cell(found.strangers_auroc, 7, 2)}"
        f"{cell(found.strangers_rejected_keeping_95, 8)}{found.milliseconds:7.2f}{learnt:9.1f}"
    )


async def measure(data: Path, encoders: Sequence[str], only: str) -> list[dict[str, Any]]:
    """Print the table; the same figures as JSON records."""
    records: list[dict[str, Any]] = []
    chosen = [case for case in cases(data) if only.casefold() in case.name.casefold()]
    print(HEAD)
    for encoder in encoders:
        for case in chosen:
            found, learnt = await run(case, encoder)
            print(line(case, encoder, found, learnt), flush=True)
            records.append({"set": case.name, "encoder": encoder, "learn_seconds": learnt, **found.as_json()})
    minilm = encoder_named("onnx")
    for case in chosen:
        print(await baseline(case, minilm), flush=True)
    return records


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.router", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with the routing sets")
    parser.add_argument("--encoder", action="append", choices=sorted(ENCODERS), help="default: all three")
    parser.add_argument("--only", default="", help="part of the names of the lines to run")
    parser.add_argument("--raw", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    records = asyncio.run(measure(arguments.data, arguments.encoder or list(ENCODERS), arguments.only))
    if arguments.raw is not None:
        arguments.raw.write_text(json.dumps(records, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
