"""What an operator costs that has nothing to do: from its start until it watches, and what it keeps."""

from __future__ import annotations

import asyncio

from benchmarks.operator.bench import Bench
from benchmarks.record import Session

__all__ = ["measure"]

_IDLE: float = 20.0


async def measure(bench: Bench, session: Session) -> None:
    namespace = bench.namespace("empty")
    starts: dict[str, list[tuple[float, float]]] = {"lmos": [], "kopf": []}
    for _ in range(bench.rounds):
        for name, start in (("lmos", bench.ours), ("kopf", bench.kopf)):
            with start(namespace) as subject:
                cpu = subject.cpu
                await asyncio.sleep(2)
                starts[name].append((cpu, subject.megabytes))
    with bench.ours(namespace) as subject:
        await asyncio.sleep(2)
        before = subject.cpu
        await asyncio.sleep(_IDLE)
        idle = (subject.cpu - before) / _IDLE * 1e3
    session.add("start until ready, no objects: CPU", "s", [cpu for cpu, _ in starts["lmos"]], goal="<= 0.8")
    session.add("the same, kopf", "s", [cpu for cpu, _ in starts["kopf"]])
    session.add("memory without objects", "MB", [size for _, size in starts["lmos"]], goal="<= 55")
    session.add("the same, kopf", "MB", [size for _, size in starts["kopf"]])
    session.add("idle, leading: CPU", "ms/s", [idle])
