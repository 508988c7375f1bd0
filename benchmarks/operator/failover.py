"""Two operators, one leads: it is killed, or told to end; how long until the other has reconciled a change.

The change is made when the other leads, since one that ends in good order still reconciles what comes until then.
"""

from __future__ import annotations

import asyncio
import re
import signal
import time
import urllib.request
from itertools import count

from benchmarks.operator import objects
from benchmarks.operator.bench import Bench, Subject
from benchmarks.operator.customer import Sight
from benchmarks.operator.objects import AGENTS, CHANNELS, settled
from benchmarks.record import Session

__all__ = ["measure"]

_LEADS = re.compile(r"leader_election_master_status\{.*\} 1\.0")


async def measure(bench: Bench, session: Session) -> None:
    namespace, customer = bench.namespace("failover"), bench.customer
    await customer.create(AGENTS, [objects.agent(0, namespace)])
    await customer.create(CHANNELS, [objects.channel(0, namespace)])
    marks = count(1)
    async with customer.sight(CHANNELS, namespace) as sight:
        for name, number, goal in (("kill -9", signal.SIGKILL, "<= 20"), ("SIGTERM", signal.SIGTERM, "<= 2")):
            runs = [await _failover(bench, namespace, sight, number, f"m{next(marks)}") for _ in range(bench.rounds)]
            session.add(f"failover after {name}: until the next leader has reconciled a change", "s", runs, goal=goal)


async def _failover(bench: Bench, namespace: str, sight: Sight, number: int, mark: str) -> float:
    lease = f"failover-{mark}"
    with bench.ours(namespace, lease=lease) as leader:
        await sight.until(1, settled)
        await _leading(leader)
        with bench.ours(namespace, lease=lease) as other:
            await asyncio.sleep(3)  # in the midst of the Lease's periods
            began = time.perf_counter()
            leader.child.send(number)
            await _leading(other)
            change = {"spec": objects.channel(0, namespace, touched=mark)["spec"]}
            await bench.customer.patch_one(CHANNELS, namespace, objects.channel_name(0), change)
            await sight.until(1, lambda channel: settled(channel) and _mark(channel) == mark)
            return time.perf_counter() - began


def _mark(channel: objects.Object) -> str:
    return channel["spec"]["requiredCapabilities"][0]["id"]


async def _leading(subject: Subject) -> None:
    while not any(_LEADS.fullmatch(line) for line in _metrics(subject)):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.02)


def _metrics(subject: Subject) -> list[str]:
    with urllib.request.urlopen(subject.metrics_url, timeout=5) as response:
        return response.read().decode().splitlines()
