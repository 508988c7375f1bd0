"""CPU of one reconcile: with one write, without any; ours and kopf's in turn, on channels of their own.

"With one write": a Channel's spec is changed such that its routing stays; the operator sees it, resolves it, and writes
its status. "Without effect": an annotation is changed. "From the cache": an Agent is changed such that a thousand
Channels have to be resolved again, and none changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.operator import objects
from benchmarks.operator.bench import Bench, Subject
from benchmarks.operator.customer import Sight, Write
from benchmarks.operator.objects import AGENTS, CHANNELS, ROUTINGS, settled
from benchmarks.record import Session

__all__ = ["Cost", "Side", "measure", "side"]

_AFTERMATH: Final = 1.5
"""Seconds after which an operator that has not written has done all that a change asks of it."""
_TOGGLES: Final = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """What a change took for each Channel: CPU ms of the operator and of the API server, writes of the operator."""

    cpu: float
    api: float
    writes: float


@dataclass
class Side:
    """One operator and its channels."""

    bench: Bench
    subject: Subject
    namespace: str
    count: int
    sight: Sight
    touches: int = 0

    async def one_write(self) -> Cost:
        """Each Channel needs its status written."""
        return await self._cost(_spec)

    async def without_effect(self) -> Cost:
        """Each Channel has changed such that there is nothing to do."""
        return await self._cost(lambda _, mark: {"metadata": {"annotations": {"benchmark/touched": mark}}})

    async def _cost(self, change: Callable[[int, str], dict[str, Any]]) -> Cost:
        self.touches += 1
        mark, customer = f"t{self.touches}", self.bench.customer
        changes = {objects.channel_name(number): change(number, mark) for number in range(self.count)}
        cpu, api, writes = self.subject.cpu, self.bench.api_cpu, await customer.writes()
        await customer.patch(CHANNELS, self.namespace, changes)
        await self.sight.until(self.count, settled)
        await self._calm()
        cpu, api = (self.subject.cpu - cpu) * 1e3, (self.bench.api_cpu - api) * 1e3
        written = (await customer.writes() - writes).total() - self.count
        return Cost(cpu / self.count, api / self.count, written / self.count)

    async def _calm(self) -> None:
        """Wait until the operator has finished, or its writes would be taken for the other one's."""
        before = None
        while (written := await self.bench.customer.writes()) != before:
            before = written
            await asyncio.sleep(_AFTERMATH)


def _spec(number: int, mark: str) -> dict[str, Any]:
    return {"spec": objects.channel(number, "", touched=mark)["spec"]}


@asynccontextmanager
async def side(bench: Bench, kind: str, count: int) -> AsyncGenerator[Side]:
    """An operator that has converged on `count` channels. `kind` is `lmos`, `kopf` or `kopf-events`."""
    namespace = bench.namespace(kind)
    await bench.customer.create(AGENTS, objects.agents_for(count, namespace))
    await bench.customer.create(CHANNELS, [objects.channel(number, namespace) for number in range(count)])
    async with AsyncExitStack() as stack:
        if kind == "lmos":
            subject = stack.enter_context(bench.ours(namespace))
        else:
            options = ["--events"] if kind == "kopf-events" else []
            subject = stack.enter_context(bench.kopf(namespace, *options))
        sight = await stack.enter_async_context(bench.customer.sight(CHANNELS, namespace))
        await sight.until(count, settled)
        await asyncio.sleep(_AFTERMATH)
        yield Side(bench, subject, namespace, count, sight)


async def measure(bench: Bench, session: Session) -> None:
    count = bench.scaled(1000)
    async with AsyncExitStack() as stack:
        ours, kopf, events = [
            await stack.enter_async_context(side(bench, kind, count)) for kind in ("lmos", "kopf", "kopf-events")
        ]
        await _with_one_write(session, ours, kopf, events)
        await _without_effect(session, ours, kopf)
    await _from_cache(bench, session)


async def _with_one_write(session: Session, ours: Side, kopf: Side, events: Side) -> None:
    lmos: list[Cost] = []
    peer: list[Cost] = []
    simple: list[Cost] = []
    for _ in range(ours.bench.rounds):
        lmos.append(await ours.one_write())
        peer.append(await kopf.one_write())
        simple.append(await events.one_write())
    session.add("reconcile with one write, CPU", "ms", [cost.cpu for cost in lmos], goal="<= 0.7")
    session.add("the same, kopf", "ms", [cost.cpu for cost in peer])
    session.add("the same, kopf with event handlers only", "ms", [cost.cpu for cost in simple], note="no retries")
    session.add("ours over kopf's", "ratio", [one.cpu / other.cpu for one, other in zip(lmos, peer, strict=True)])
    session.add("API server's CPU for it, with the change itself", "ms", [cost.api for cost in lmos])
    session.add("the same, kopf", "ms", [cost.api for cost in peer])
    session.add("writes for a changed Channel", "", [cost.writes for cost in lmos], goal="<= 1")
    session.add("the same, kopf", "", [cost.writes for cost in peer])


async def _without_effect(session: Session, ours: Side, kopf: Side) -> None:
    lmos: list[Cost] = []
    peer: list[Cost] = []
    for _ in range(ours.bench.rounds):
        lmos.append(await ours.without_effect())
        peer.append(await kopf.without_effect())
    session.add("change without effect: read it, reconcile, CPU", "ms", [cost.cpu for cost in lmos])
    session.add("the same, kopf", "ms", [cost.cpu for cost in peer])
    session.add("writes for it", "", [cost.writes for cost in lmos], goal="<= 0")
    session.add("the same, kopf", "", [cost.writes for cost in peer])


async def _from_cache(bench: Bench, session: Session) -> None:
    count, namespace = bench.scaled(1000), bench.namespace("cache")
    customer = bench.customer
    await customer.create(AGENTS, [objects.agent(0, namespace)])
    await customer.create(CHANNELS, [objects.channel(number, namespace, of_agent=0) for number in range(count)])
    runs: list[float] = []
    with bench.ours(namespace) as subject:
        async with customer.sight(CHANNELS, namespace) as sight, customer.sight(AGENTS, namespace) as agents:
            await sight.until(count, settled)
            for number in range(bench.rounds):
                await asyncio.sleep(_AFTERMATH)
                before, written = subject.cpu, await customer.writes()
                for step in range(_TOGGLES):
                    tenants = ["acme"] if (number + step) % 2 else ["acme", "globex"]
                    await customer.patch_one(
                        AGENTS, namespace, objects.agent_name(0), {"spec": {"supportedTenants": tenants}}
                    )
                    await agents.until(1, objects.described)
                    await asyncio.sleep(0.5)
                runs.append((subject.cpu - before) / count / _TOGGLES * 1e3)
                assert _of_channels(await customer.writes() - written) == 0, "somebody wrote without need"
    session.add("reconcile from the cache, nothing to write, CPU", "ms", runs, goal="<= 0.15")


def _of_channels(writes: Mapping[Write, int]) -> int:
    return sum(number for (_, resource, _), number in writes.items() if resource in (CHANNELS, ROUTINGS))
