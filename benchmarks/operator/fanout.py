"""One Agent changes that serves a thousand Channels, beside as many others: who is written, and how soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from benchmarks.operator import objects
from benchmarks.operator.bench import Bench
from benchmarks.operator.customer import Write
from benchmarks.operator.objects import AGENTS, CHANNELS, ROUTINGS, Object, settled
from benchmarks.record import Session

__all__ = ["measure"]


async def measure(bench: Bench, session: Session) -> None:
    served, namespace, customer = bench.scaled(1_000), bench.namespace("fanout"), bench.customer
    await customer.create(AGENTS, [objects.agent(number, namespace) for number in range(2)])
    channels = [objects.channel(number, namespace, of_agent=number % 2) for number in range(2 * served)]
    await customer.create(CHANNELS, channels)
    walls: list[float] = []
    with bench.ours(namespace) as subject:
        async with customer.sight(CHANNELS, namespace) as channel_sight, customer.sight(ROUTINGS, namespace) as sight:
            await channel_sight.until(2 * served, settled)
            cpus: list[float] = []
            for number in range(1, bench.rounds + 1):
                await asyncio.sleep(2)
                written, cpu, began = await customer.writes(), subject.cpu, time.perf_counter()
                spec = {"spec": objects.agent(0, namespace, patch=number)["spec"]}
                await customer.patch_one(AGENTS, namespace, objects.agent_name(0), spec)
                await sight.until(served, lambda routing, patch=number: _patch_of(routing) == patch)
                walls.append(time.perf_counter() - began)
                await asyncio.sleep(1)
                cpus.append((subject.cpu - cpu) / served * 1e3)
                wrote = _of_channels(await customer.writes() - written)
                assert wrote == served, f"{wrote} writes for {served} Channels"
    session.add("fan-out: one Agent changes, 1,000 of 2,000 Channels follow", "s", walls, goal="<= 2")
    session.add("the same, operator's CPU a Channel", "ms", cpus)


def _patch_of(routing: Object) -> int:
    """The last number of the provided version of its first capability."""
    groups = routing["spec"].get("capabilityGroups") or [{"capabilities": [{"providedVersion": "0.0.0"}]}]
    return int(groups[0]["capabilities"][0]["providedVersion"].split(".")[2])


def _of_channels(writes: Mapping[Write, int]) -> int:
    return sum(number for (_, resource, _), number in writes.items() if resource in (CHANNELS, ROUTINGS))
