"""An operator starts beside 10,000 Agents of 1 KB that need nothing: until it has read and judged them all."""

from __future__ import annotations

import asyncio
import time

from benchmarks.operator import objects
from benchmarks.operator.bench import Bench
from benchmarks.operator.objects import AGENTS, described
from benchmarks.record import Session

__all__ = ["measure"]


async def measure(bench: Bench, session: Session) -> None:
    count, namespace, customer = bench.scaled(10_000), bench.namespace("cold"), bench.customer
    await customer.create(AGENTS, [objects.agent(number, namespace) for number in range(count)])
    async with customer.sight(AGENTS, namespace) as sight:
        with bench.ours(namespace):
            await sight.until(count, described, seconds=600)
    written = await customer.writes()
    runs: list[tuple[float, float, float]] = []
    for _ in range(bench.rounds):
        began = time.perf_counter()
        with bench.ours(namespace) as subject:
            wall, cpu = time.perf_counter() - began, subject.cpu
            await asyncio.sleep(3)
            runs.append((wall, cpu, subject.megabytes))
    assert await customer.writes() == written, "somebody wrote without need"
    session.add("cold start beside 10,000 Agents, until ready", "s", [wall for wall, _, _ in runs], goal="<= 5")
    session.add("the same, CPU", "s", [cpu for _, cpu, _ in runs], goal="<= 2")
    session.add("memory with 10,000 Agents", "MB", [size for _, _, size in runs], goal="<= 110")
