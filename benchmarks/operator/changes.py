"""Twenty changes a second: how long until the result can be seen, over what the API server itself takes.

Half of the changes are of Agents, whose new version is to appear in a ChannelRouting; half of Channels, whose status is
to be about the new generation. "API latency" is the time from sending a change until the watch of the one who sent it
tells of it: one write and one delivery. What is over it contains the operator's own write and delivery.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from benchmarks.operator import objects
from benchmarks.operator.bench import Bench
from benchmarks.operator.customer import Customer
from benchmarks.operator.objects import AGENTS, CHANNELS, ROUTINGS, Object, settled
from benchmarks.record import Session, percentile

__all__ = ["measure"]

_RATE = 20.0
_SECONDS = 30.0


@dataclass
class _Clock:
    """When each change was sent, seen, and answered by its result, by object and mark."""

    sent: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    seen: list[float] = field(default_factory=list[float])
    done: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])

    def see(self, name: str, mark: str) -> None:
        if (sent := self.sent.get((name, mark))) is not None:
            self.seen.append(time.perf_counter() - sent)

    def finish(self, name: str, mark: str) -> None:
        if (name, mark) in self.sent and (name, mark) not in self.done:
            self.done[name, mark] = time.perf_counter() - self.sent[name, mark]


async def measure(bench: Bench, session: Session) -> None:
    count, namespace, customer = bench.scaled(500), bench.namespace("changes"), bench.customer
    await customer.create(AGENTS, [objects.agent(number, namespace) for number in range(count)])
    channels = [objects.channel(number, namespace, of_agent=number) for number in range(count)]
    await customer.create(CHANNELS, channels)
    runs: dict[str, list[float]] = {}
    with bench.ours(namespace):
        async with customer.sight(CHANNELS, namespace) as sight:
            await sight.until(count, settled)
        for number in range(bench.rounds):
            await asyncio.sleep(2)
            clock = await _round(customer, namespace, count, number + 1)
            for share, name in ((0.5, "p50"), (0.99, "p99")):
                api, all_ = percentile(clock.seen, share) * 1e3, percentile(list(clock.done.values()), share) * 1e3
                runs.setdefault(f"api {name}", []).append(api)
                runs.setdefault(f"all {name}", []).append(all_)
                runs.setdefault(f"over {name}", []).append(all_ - api)
    for name, goal in (("p50", "<= 30"), ("p99", "<= 250")):
        session.add(f"20 changes/s: change until result, {name}", "ms", runs[f"all {name}"])
        session.add(f"API latency, {name}", "ms", runs[f"api {name}"])
        session.add(f"change until result, over API latency, {name}", "ms", runs[f"over {name}"], goal=goal)


async def _round(customer: Customer, namespace: str, count: int, number: int) -> _Clock:
    clock, mark = _Clock(), str(number)
    async with (
        customer.sight(CHANNELS, namespace) as channels,
        customer.sight(AGENTS, namespace) as agents,
        customer.sight(ROUTINGS, namespace) as routings,
    ):
        channels.on_event = lambda _, channel: _of_channel(clock, channel)
        agents.on_event = lambda _, agent: clock.see(agent["metadata"]["name"], _patch(agent))
        routings.on_event = lambda _, routing: clock.finish(_agent_of(routing), _patch_of(routing))
        began, tasks = time.perf_counter(), set[asyncio.Task[None]]()
        for step in range(min(int(_RATE * _SECONDS), 2 * count)):
            await asyncio.sleep(max(0.0, began + step / _RATE - time.perf_counter()))
            tasks.add(asyncio.create_task(_change(customer, namespace, clock, step, mark)))
        await asyncio.gather(*tasks)
        async with asyncio.timeout(30):
            while len(clock.done) < len(clock.sent):  # noqa: ASYNC110 - a benchmark may look again
                await asyncio.sleep(0.05)
    return clock


async def _change(customer: Customer, namespace: str, clock: _Clock, step: int, mark: str) -> None:
    number = step // 2
    if step % 2:
        name, plural = objects.agent_name(number), AGENTS
        spec = objects.agent(number, namespace, patch=int(mark))["spec"]
    else:
        name, plural = objects.channel_name(number), CHANNELS
        spec = objects.channel(number, namespace, of_agent=number, touched=mark)["spec"]
    clock.sent[name, mark] = time.perf_counter()
    await customer.patch_one(plural, namespace, name, {"spec": spec})


def _of_channel(clock: _Clock, channel: Object) -> None:
    name, mark = channel["metadata"]["name"], channel["spec"]["requiredCapabilities"][0]["id"]
    if settled(channel):
        clock.finish(name, mark)
    else:
        clock.see(name, mark)


def _patch(agent: Object) -> str:
    return agent["spec"]["providedCapabilities"][0]["version"].split(".")[2]


def _patch_of(routing: Object) -> str:
    return routing["spec"]["capabilityGroups"][0]["capabilities"][0]["providedVersion"].split(".")[2]


def _agent_of(routing: Object) -> str:
    return routing["spec"]["capabilityGroups"][0]["name"]
