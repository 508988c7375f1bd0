"""`python -m tests.operator.faults [--schedules N] [--first SEED] [--record]`: live through many schedules, sum up.

Ends with 1 when one diverges; it is printed, as short as it could be made. `--record` keeps the sums for the docs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tests.operator.faults.quiet import quiet
from tests.operator.faults.report import shrunk, told
from tests.operator.faults.schedule import Schedule, run

RESULTS: Final = Path(__file__).parents[3] / "benchmarks" / "results" / "faults.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.operator.faults", description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first schedule")
    parser.add_argument("--record", action="store_true", help=f"write the sums to {RESULTS.name}")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.schedules)
    with quiet() as bugs:
        sums = _live(seeds, bugs)
    for kind, count in sums["faults"].items():
        print(f"{count:8}  {kind}")
    print(
        f"{sums['schedules']} schedules, {len(sums['diverged'])} diverged; {sums['virtual_hours']} virtual hours in "
        f"{sums['cpu_seconds']} CPU seconds"
    )
    if arguments.record:
        RESULTS.write_text(json.dumps(sums, indent=1) + "\n")
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
    return {
        "recorded": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "python": platform.python_version(),
        "lmos": version("lmos"),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "first_seed": seeds.start,
        "schedules": len(seeds),
        "virtual_hours": round(hours, 1),
        "cpu_seconds": round(time.process_time() - began, 1),
        "diverged": diverged,
        "faults": dict(faults.most_common()),
        "writes": dict(writes.most_common()),
    }


if __name__ == "__main__":
    sys.exit(main())
