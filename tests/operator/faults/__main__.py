"""`python -m tests.operator.faults [--schedules N] [--first SEED]`: live through many schedules and sum up.

Ends with 1 when one diverges; its seed and what was wrong are printed.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter

import structlog

from tests.operator.faults.schedule import Schedule, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.operator.faults", description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first schedule")
    arguments = parser.parse_args()
    # Thousands of planned faults would be told of.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL + 1))
    faults: Counter[str] = Counter()
    diverged, began, hours = 0, time.process_time(), 0.0
    for done, seed in enumerate(range(arguments.first, arguments.first + arguments.schedules), 1):
        outcome = run(Schedule(seed))
        hours += outcome.seconds / 3600
        faults.update({kind.value: count for kind, count in outcome.counts.items()})
        if outcome.wrongs:
            diverged += 1
            print(f"seed {seed}: " + "; ".join(outcome.wrongs))
        if done % 500 == 0:
            print(f"{done} schedules, {diverged} diverged", flush=True)
    print(f"{arguments.schedules} schedules, {diverged} diverged; {hours:.1f} virtual hours in", end=" ")
    print(f"{time.process_time() - began:.0f} CPU seconds")
    for kind, count in faults.most_common():
        print(f"{count:8}  {kind}")
    return 1 if diverged else 0


if __name__ == "__main__":
    sys.exit(main())
