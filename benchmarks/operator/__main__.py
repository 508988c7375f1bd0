"""`python -m benchmarks.operator [PART ...]`: measure these parts, or all, keep the raw runs and rewrite the page.

Needs the programs of `make testcluster`. On two cores all parts take about half an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any

import uvloop

from benchmarks.operator import page
from benchmarks.operator.bench import on_a_new_cluster
from benchmarks.record import Session, machine

PARTS = ("starting", "reconciling", "gate", "converging", "cold", "fanout", "changes", "failover", "stream")


async def measured(part: str, *, scale: float, rounds: int | None) -> dict[str, Any]:
    """The figures of one part, on a control plane of its own."""
    session = Session(part)
    options = {} if rounds is None else {"rounds": rounds}
    async with on_a_new_cluster(scale=scale, **options) as bench:
        await import_module(f"benchmarks.operator.{part}").measure(bench, session)
        server = json.loads(bench.cluster.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
    session.show()
    return {
        "started": session.started,
        "machine": {**machine(), "kubernetes": server, "kopf": version("kopf")},
        "figures": [figure.as_json() for figure in session.figures],
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--rounds", type=int, help="runs of each figure")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="multiplies numbers of objects; below 1 nothing is kept"
    )
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for part in arguments.parts or PARTS:
        print(f"\n{part}", flush=True)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            figures = runner.run(measured(part, scale=arguments.scale, rounds=arguments.rounds))
        if arguments.scale >= 1:
            page.keep(part, figures)
    page.main()


if __name__ == "__main__":
    sys.exit(main())
