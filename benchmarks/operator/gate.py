"""CPU of a reconcile over kopf's, in one run: `python -m benchmarks.operator.gate` compares it with the recorded ratio.

A ratio, because CI's machine is another one, and busy: what slows one side slows the other, which is measured in turn
with it within seconds. CPU, because wall time on a shared machine is mostly the others' work. The median of several
turns, because one of them may meet a garbage collection or a neighbour's burst; a ratio that is too high is measured
once more, with other processes.
"""

from __future__ import annotations

import json
import sys
from statistics import median
from typing import Final

import uvloop

from benchmarks.operator.bench import Bench, on_a_new_cluster
from benchmarks.operator.page import FILE
from benchmarks.operator.reconciling import side
from benchmarks.record import Session

__all__ = ["TOLERANCE", "main", "measure", "recorded", "within"]

TOLERANCE: Final = 1.2
"""A ratio may be so many times the recorded one."""

_NAME: Final = "CPU of a reconcile with one write, ours over kopf's, 300 Channels"
_CHANNELS: Final = 300
_TURNS: Final = 7
_ATTEMPTS: Final = 2


async def measure(bench: Bench, session: Session) -> None:
    session.add(_NAME, "ratio", await _ratios(bench, 2 * bench.rounds))


def recorded() -> float:
    """The ratio that the operator has to keep. Raises `KeyError` when none was recorded."""
    (figure,) = json.loads(FILE.read_text())["gate"]["figures"]
    return figure["median"]


def within(ratio: float, kept: float) -> bool:
    """Whether the operator costs no more than it may."""
    return ratio <= TOLERANCE * kept


def main() -> int:
    """0 when the operator costs, beside kopf, no more than it may; else 1."""
    kept = recorded()
    for _ in range(_ATTEMPTS):
        runs = uvloop.run(_measured())
        ratio = median(runs)
        print(
            f"CPU of a reconcile over kopf's: {ratio:.3f} ({min(runs):.3f} .. {max(runs):.3f}), recorded {kept:.3f}, "
            f"at most {TOLERANCE * kept:.3f}",
            flush=True,
        )
        if within(ratio, kept):
            return 0
    print("a reconcile has become dearer: find out why, or record it: python -m benchmarks.operator gate", flush=True)
    return 1


async def _measured() -> list[float]:
    async with on_a_new_cluster() as bench:
        return await _ratios(bench, _TURNS)


async def _ratios(bench: Bench, turns: int) -> list[float]:
    """Our CPU over kopf's, turn by turn. A first turn, in which both still load and cache, is not counted."""
    async with side(bench, "lmos", _CHANNELS) as ours, side(bench, "kopf", _CHANNELS) as kopf:
        await ours.one_write()
        await kopf.one_write()
        return [(await ours.one_write()).cpu / (await kopf.one_write()).cpu for _ in range(turns)]


if __name__ == "__main__":
    sys.exit(main())
