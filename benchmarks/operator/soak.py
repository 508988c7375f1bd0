"""The operator on an endless stream of changes, in this process: does its memory grow, do tasks stay behind?

`python -m benchmarks.operator.soak EVENTS` prints JSON: events told, CPU seconds, tasks before and after, and the
resident memory in MB, sampled a hundred times over the run.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import uvloop

from benchmarks.operator.synthetic import NAMESPACE, Synthetic
from lmos.clock import SystemClock
from lmos.operator.kubernetes.client import Client
from lmos.operator.kubernetes.store import KubernetesStore
from lmos.operator.manager import Manager
from lmos.telemetry.logs import configure

_OBJECTS = 500


async def soak(events: int) -> dict[str, object]:
    """The figures after so many `events`."""
    server = Synthetic(_OBJECTS, events)
    store = KubernetesStore(Client(server))
    sizes: list[float] = []
    async with Manager(store, SystemClock(), namespaces=[NAMESPACE]):
        await _until(server, events // 100)
        tasks, began = len(asyncio.all_tasks()), time.process_time()
        for part in range(1, 101):
            await _until(server, events * part // 100)
            sizes.append(_megabytes())
        await server.finished.wait()
        await asyncio.sleep(1)
        return {
            "events": server.told,
            "cpu": time.process_time() - began,
            "tasks": [tasks, len(asyncio.all_tasks())],
            "megabytes": sizes,
        }


async def _until(server: Synthetic, told: int) -> None:
    while server.told < told:  # noqa: ASYNC110 - a server without clients has nobody to wake
        await asyncio.sleep(0.01)


def _megabytes() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    configure(level="error")
    print(json.dumps(uvloop.run(soak(int(sys.argv[1])))))
