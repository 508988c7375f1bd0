"""From the start of the operator on many new Channels until each has its ChannelRouting and status: two writes each."""

from __future__ import annotations

import time

from benchmarks.operator import objects
from benchmarks.operator.bench import Bench
from benchmarks.operator.objects import AGENTS, CHANNELS, settled
from benchmarks.record import Session

__all__ = ["measure"]


async def measure(bench: Bench, session: Session) -> None:
    small, large = bench.scaled(1_000), bench.scaled(10_000)
    ours = [await _converge(bench, "lmos", small) for _ in range(bench.rounds)]
    kopf = [await _converge(bench, "kopf", small) for _ in range(bench.rounds)]
    session.add("converge 1,000 Channels", "s", [wall for wall, _, _ in ours], goal="<= 5")
    session.add("the same, operator's CPU", "s", [cpu for _, cpu, _ in ours])
    session.add("the same, kopf", "s", [wall for wall, _, _ in kopf])
    session.add("the same, kopf's CPU", "s", [cpu for _, cpu, _ in kopf])
    many = [await _converge(bench, "lmos", large) for _ in range(max(1, bench.rounds // 2))]
    session.add("converge 10,000 Channels", "s", [wall for wall, _, _ in many], goal="<= 45")
    session.add("the same, operator's CPU", "s", [cpu for _, cpu, _ in many])
    session.add("the same, operator's memory", "MB", [size for _, _, size in many])


async def _converge(bench: Bench, kind: str, count: int) -> tuple[float, float, float]:
    """Wall and CPU seconds from the start of the process, and its memory in MB."""
    namespace, customer = bench.namespace(kind), bench.customer
    await customer.create(AGENTS, objects.agents_for(count, namespace))
    await customer.create(CHANNELS, [objects.channel(number, namespace) for number in range(count)])
    async with customer.sight(CHANNELS, namespace) as sight:
        began = time.perf_counter()
        with bench.ours(namespace) if kind == "lmos" else bench.kopf(namespace) as subject:
            await sight.until(count, settled)
            found = time.perf_counter() - began, subject.cpu, subject.megabytes
    await customer.delete_all(CHANNELS, namespace)
    await customer.delete_all(AGENTS, namespace)
    return found
