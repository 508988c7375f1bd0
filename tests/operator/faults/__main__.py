"""`python -m tests.operator.faults`: live through many schedules, in virtual time or with `--real`, and sum up.

Ends with 1 when one diverges; it is printed, in virtual time as short as it could be made. `--record` keeps the sums,
and writes the page of the docs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lmos.resources.crds import crds_yaml
from tests.operator.faults.page import record
from tests.operator.faults.quiet import quiet
from tests.operator.faults.real import live_wave
from tests.operator.faults.report import shrunk, told
from tests.operator.faults.schedule import Schedule, run
from tools.testcluster import API_SERVER, CONTROLLERS, Cluster


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.operator.faults", description=__doc__)
    parser.add_argument("--schedules", type=int, help="how many: 10,000, or 240 with --real")
    parser.add_argument("--first", type=int, default=0, help="seed of the first schedule")
    parser.add_argument("--real", action="store_true", help="on a real API server, with real processes")
    parser.add_argument("--at-once", type=int, default=24, help="schedules side by side on the real API server")
    parser.add_argument("--record", action="store_true", help="keep the sums, and the page of the docs")
    arguments = parser.parse_args()
    count = arguments.schedules or (240 if arguments.real else 10_000)
    seeds = range(arguments.first, arguments.first + count)
    if arguments.real:
        sums = asyncio.run(_live_really(seeds, arguments.at_once))
    else:
        with quiet() as bugs:
            sums = _live(seeds, bugs)
    for kind, times in sums["faults"].items():
        print(f"{times:8}  {kind}")
    print(f"{sums['schedules']} schedules, {len(sums['diverged'])} diverged")
    if arguments.record:
        record("real" if arguments.real else "virtual", sums)
    return 1 if sums["diverged"] else 0


def _live(seeds: range, bugs: list[str]) -> dict[str, Any]:
    faults: Counter[str] = Counter()
    writes: Counter[str] = Counter()
    diverged: list[int] = []
    began, hours = time.process_time(), 0.0
    for done, seed in enumerate(seeds, 1):
        outcome = run(Schedule(seed))
        hours += outcome.seconds / 3600
        faults.update({kind.value: count for kind, count in outcome.counts.items()})
        writes += outcome.writes
        if outcome.wrongs or bugs:
            diverged.append(seed)
            print(told(shrunk(outcome)) if outcome.wrongs else f"seed {seed}: {bugs}", flush=True)
            bugs.clear()
        if done % 500 == 0:
            print(f"{done} schedules, {len(diverged)} diverged", flush=True)
    cpu = {"cpu_seconds": round(time.process_time() - began), "writes": dict(writes.most_common())}
    return _sums(seeds, diverged, faults, hours) | cpu


async def _live_really(seeds: range, at_once: int) -> dict[str, Any]:
    faults: Counter[str] = Counter()
    diverged: list[int] = []
    began, hours = time.monotonic(), 0.0
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster(parts=(*API_SERVER, CONTROLLERS), crds=[crds_yaml()]) as cluster,
    ):
        for first in range(seeds.start, seeds.stop, at_once):
            wave = range(first, min(first + at_once, seeds.stop))
            for lived in await live_wave(cluster, wave, Path(folder)):
                faults.update({kind.value: count for kind, count in lived.counts.items()})
                hours += lived.seconds / 3600
                if lived.wrongs:
                    diverged.append(lived.seed)
                    print(f"seed {lived.seed}: " + "; ".join(lived.wrongs), flush=True)
            print(f"{wave.stop - seeds.start} schedules, {len(diverged)} diverged", flush=True)
    return _sums(seeds, diverged, faults, hours) | {"wall_seconds": round(time.monotonic() - began)}


def _sums(seeds: range, diverged: list[int], faults: Counter[str], hours: float) -> dict[str, Any]:
    return {
        "recorded": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "python": platform.python_version(),
        "lmos": version("lmos"),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "first_seed": seeds.start,
        "schedules": len(seeds),
        "hours": round(hours, 1),
        "diverged": diverged,
        "faults": dict(faults.most_common()),
    }


if __name__ == "__main__":
    sys.exit(main())
