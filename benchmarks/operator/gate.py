"""CPU of a reconcile over kopf's, in one run: what CI compares with the recorded ratio.

A ratio, because CI's machine is another one, and busy: what slows one side slows the other, which is measured in turn
with it within seconds. CPU, because wall time on a shared machine is mostly the others' work. The median of several
turns, because one of them may meet a garbage collection or a neighbour's burst.
"""

from __future__ import annotations

from benchmarks.operator.bench import Bench
from benchmarks.operator.reconciling import side
from benchmarks.record import Session

__all__ = ["NAME", "TOLERANCE", "measure", "ratios"]

NAME = "CPU of a reconcile with one write, ours over kopf's, 300 Channels"
TOLERANCE = 1.2
_CHANNELS = 300


async def ratios(bench: Bench, turns: int) -> list[float]:
    """Our CPU over kopf's, turn by turn. A first turn, in which both still load and cache, is not counted."""
    async with side(bench, "lmos", _CHANNELS) as ours, side(bench, "kopf", _CHANNELS) as kopf:
        await ours.one_write()
        await kopf.one_write()
        return [(await ours.one_write()).cpu / (await kopf.one_write()).cpu for _ in range(turns)]


async def measure(bench: Bench, session: Session) -> None:
    session.add(NAME, "ratio", await ratios(bench, 2 * bench.rounds))
