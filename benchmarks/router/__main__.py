"""`python -m benchmarks.router DATA`: all figures of the router in one run, and Eclipse LMOS's routers beside them.

DATA is a folder with the routing sets `lmos`, `clinc150`, `ohf_intents` and `sgd`. The raw run goes to
`benchmarks/results/router.json`, from which `benchmarks.router.tables` writes the documentation's tables. Seeds are
the first N training rows of each capability; nothing is tuned on a test set.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.router.baselines import knn, ranker
from benchmarks.router.datasets import NONE, Row, first_of_each, of_split, read_rows, roster_of, with_typos
from benchmarks.router.dialogues import measured_world, play_decisions
from benchmarks.router.measure import Figures, classify_all, figures
from benchmarks.router.memory import SETTINGS, measured
from benchmarks.router.strangers import draw, meet
from lmos.encoders.base import Encoder
from lmos.encoders.cached import CachedEncoder
from lmos.encoders.registry import encoder_named
from lmos.router.base import Roster
from lmos.router.vector import VectorClassifier

RESULTS = Path(__file__).parent.parent / "results" / "router.json"
ENTRIES = 200_000
TIMED = 400
PARTS = ("small_rosters", "dialogues", "latency", "changes", "memory")
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


class Shared:
    """Encoders that remember all texts of a run, so that each is read once however many rosters meet it."""

    def __init__(self) -> None:
        self._known = {name: CachedEncoder(encoder_named(name), ENTRIES) for name in ("static", "onnx")}

    def of(self, setting: str) -> tuple[Encoder, ...]:
        return tuple(self._known[name] for name in SETTINGS[setting])


async def run(case: Case, encoders: Sequence[Encoder]) -> tuple[Figures, float]:
    """The figures of one line, and the seconds that learning took."""
    for encoder in encoders:
        await encoder.encode([row.text for row in (*case.test, *case.strangers)])
    classifier = VectorClassifier(*encoders)
    start = time.perf_counter()
    await classifier.prepare(case.roster)
    learnt = time.perf_counter() - start
    found, spent = await classify_all(classifier, case.roster, case.test)
    strangers, _ = await classify_all(classifier, case.roster, case.strangers)
    return figures(case.test, found, spent, strangers), learnt


async def latency(data: Path, setting: str) -> dict[str, Any]:
    """Milliseconds of single decisions on texts that no cache has seen, with 150 capabilities of ten examples."""
    roster = roster_of(of_split(read_rows(data / "clinc150" / "fewshot.csv"), "train_10"))
    test = of_split(read_rows(data / "clinc150" / "data.csv"), "test")
    classifier = VectorClassifier(*(encoder_named(name) for name in SETTINGS[setting]))
    await classifier.prepare(roster)
    await classify_all(classifier, roster, test[:20])
    _, spent = await classify_all(classifier, roster, test[20 :: len(test) // TIMED])
    p50, p95 = (float(np.quantile(spent, share)) for share in (0.5, 0.95))
    return {"encoder": setting, "p50": p50, "p95": p95, "mean": float(np.mean(spent))}


async def changes(data: Path, setting: str) -> dict[str, Any]:
    """What a change of the roster costs, in a process that does nothing else."""
    command = (sys.executable, "-m", "benchmarks.router.changes", str(data), "--encoder", setting)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return json.loads(output)


async def conversations(data: Path, setting: str, encoders: Sequence[Encoder]) -> dict[str, Any]:
    """SGD's measured half, whole decisions, the current agent being the router's own last choice."""
    roster, turns = measured_world(data, 20)
    for encoder in encoders:
        await encoder.encode([turn.text for turn in turns])
    right = await play_decisions(VectorClassifier(*encoders), roster, turns)
    shares = {kind: 100 * float(np.mean(hits)) for kind, hits in right.items()}
    return {"encoder": setting, "turns": len(right["all"]), **shares}


async def baseline(case: Case, encoder: Encoder) -> dict[str, Any]:
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
    return {
        "set": case.name,
        "encoder": encoder.name,
        "knn5_agent": 100 * float(right),
        "ranker_answers": 100 * float(answered.mean()),
        "ranker_right": 100 * float(correct[answered].mean()) if answered.any() else None,
    }


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


async def accuracy(chosen: Sequence[Case], settings: Sequence[str], shared: Shared) -> list[dict[str, Any]]:
    """The lines of these sets, printed as they come."""
    print(HEAD)
    records: list[dict[str, Any]] = []
    for setting in settings:
        for case in chosen:
            found, learnt = await run(case, shared.of(setting))
            print(line(case, setting, found, learnt), flush=True)
            records.append({"set": case.name, "encoder": setting, "learn_seconds": learnt, **found.as_json()})
    return records


def named(data: Path, only: str) -> list[Case]:
    return [case for case in cases(data) if only.casefold() in case.name.casefold()]


async def measure(data: Path, settings: Sequence[str], only: str) -> dict[str, Any]:
    """Print all figures as they come, and return them."""
    shared = Shared()
    raw: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
    chosen = named(data, only)
    raw["onnx"] = encoder_named("onnx").name
    raw["accuracy"] = await accuracy(chosen, settings, shared)
    raw["baselines"] = [await baseline(case, shared.of("onnx")[0]) for case in chosen]
    if not only:
        await _others(data, settings, shared, raw)
    for name in ("baselines", *PARTS):
        print(f"\n{name}:", *(json.dumps(record) for record in raw.get(name, ())), sep="\n  ")
    return raw


async def _others(data: Path, settings: Sequence[str], shared: Shared, raw: dict[str, Any]) -> None:
    """All that is not accuracy on a set."""
    for name in PARTS:
        raw[name] = await part(data, name, settings, shared)


async def part(data: Path, name: str, settings: Sequence[str], shared: Shared) -> list[dict[str, Any]]:
    """The records of one of `PARTS`."""
    match name:
        case "small_rosters":
            rosters = list(draw(data))
            return [
                {"encoder": setting, **met} for setting in settings for met in await meet(shared.of(setting), rosters)
            ]
        case "dialogues":
            return [await conversations(data, setting, shared.of(setting)) for setting in settings]
        case "latency":
            return [await latency(data, setting) for setting in settings]
        case "changes":
            return [await changes(data, setting) for setting in settings]
        case _:
            return [await measured(data, setting) for setting in settings]


async def again(data: Path, names: Sequence[str], only: str) -> dict[str, Any]:
    """The last raw run with these parts measured anew, `accuracy` for some sets only. `measured_anew` says which, and
    when."""
    raw: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    shared = Shared()
    for name in names:
        title = f"accuracy of {only or 'all sets'}" if name == "accuracy" else name
        if name == "accuracy":
            anew = {(a["set"], a["encoder"]): a for a in await accuracy(named(data, only), list(SETTINGS), shared)}
            raw[name] = [anew.get((a["set"], a["encoder"]), a) for a in raw[name]]
        else:
            raw[name] = await part(data, name, list(SETTINGS), shared)
            print(f"\n{name}:", *(json.dumps(record) for record in raw[name]), sep="\n  ", flush=True)
        raw.setdefault("measured_anew", {})[title] = datetime.now(UTC).isoformat(timespec="minutes")
    return raw


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.router", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with the routing sets")
    parser.add_argument("--encoder", action="append", choices=sorted(SETTINGS), help="default: all three")
    parser.add_argument(
        "--only", default="", help="part of the names of the sets to run; nothing else is measured then"
    )
    parser.add_argument(
        "--again", action="append", choices=("accuracy", *PARTS), help="replace this part of the last raw run only"
    )
    parser.add_argument("--raw", type=Path, help=f"file for the raw run; default {RESULTS.name} for whole runs")
    arguments = parser.parse_args()
    if arguments.again:
        raw = asyncio.run(again(arguments.data, arguments.again, arguments.only))
    else:
        raw = asyncio.run(measure(arguments.data, arguments.encoder or list(SETTINGS), arguments.only))
    whole = arguments.again or not (arguments.only or arguments.encoder)
    target = arguments.raw or (RESULTS if whole else None)
    if target is not None:
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
