"""Storages for the contract suites of stores: each opens any number of stores, as several processes would."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

from lmos.clock import SystemClock
from lmos.database.engine import Database
from lmos.operator.base import Store
from lmos.operator.kubernetes.client import Client
from lmos.operator.kubernetes.config import configuration
from lmos.operator.kubernetes.connect import transport_to
from lmos.operator.kubernetes.kinds import api_resource
from lmos.operator.kubernetes.store import KubernetesStore
from lmos.operator.sqlite import SqliteStore
from lmos.resources.agent import Agent, AgentSpec
from lmos.resources.base import ObjectMeta
from lmos.resources.kinds import KINDS
from lmos.testing.api_server import ApiServer
from tools.testcluster import API, Cluster

__all__ = ["NAMESPACES", "Backend", "KubernetesBackend", "SimulatedBackend", "SqliteBackend"]

NAMESPACES = ("default", "n1", "n2")
"""Those that the suites use."""


class Backend(Protocol):
    """A storage that several stores share, as several processes do."""

    collects_within: float
    """Seconds after which what was owned by a deleted object is gone, at the latest."""

    def open(self) -> Store:
        """Another store over the same storage. Call it in the event loop."""
        ...

    def apply_elsewhere(self, name: str) -> float:
        """Apply an Agent from another process; the wall time in seconds at which that was done."""
        ...

    async def outdate(self, store: Store) -> None:
        """Make the storage forget the changes so far."""
        ...

    async def aclose(self) -> None: ...


class SqliteBackend:
    RETAINED = 100
    collects_within = 0.0

    _APPLY = """
import asyncio, sys, time
from pathlib import Path
from lmos.clock import SystemClock
from lmos.database.engine import Database
from lmos.operator.sqlite import SqliteStore
from lmos.resources.agent import Agent
from lmos.resources.base import ObjectMeta

async def main():
    db = Database.open(Path(sys.argv[1]))
    store = SqliteStore(db, SystemClock())
    await store.apply(Agent(metadata=ObjectMeta(name=sys.argv[2])), field_manager="elsewhere")
    print(time.time())
    await store.aclose()
    await db.aclose()

asyncio.run(main())
"""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: list[tuple[SqliteStore, Database]] = []

    def open(self) -> Store:
        db = Database.open(self._path, synchronous="normal")
        store = SqliteStore(db, SystemClock(), retained_changes=self.RETAINED)
        self._opened.append((store, db))
        return store

    def apply_elsewhere(self, name: str) -> float:
        return _run(self._APPLY, str(self._path), name)

    async def outdate(self, store: Store) -> None:
        for i in range(2 * self.RETAINED):
            await store.apply(_filler(str(i)), field_manager="test")

    async def aclose(self) -> None:
        for store, db in self._opened:
            await store.aclose()
            await db.aclose()


class KubernetesBackend:
    """A whole API server of the tests' own: it is emptied and restarted."""

    collects_within = 20.0

    _APPLY = """
import asyncio, sys, time
from lmos.operator.kubernetes.connect import connect
from lmos.operator.kubernetes.store import KubernetesStore
from lmos.resources.agent import Agent
from lmos.resources.base import ObjectMeta

async def main():
    async with connect(kubeconfig=sys.argv[1]) as client:
        store = KubernetesStore(client)
        await store.apply(Agent(metadata=ObjectMeta(name=sys.argv[2])), field_manager="elsewhere")
        print(time.time())

asyncio.run(main())
"""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._opened: list[Client] = []

    def open(self) -> Store:
        return KubernetesStore(self._client())

    def apply_elsewhere(self, name: str) -> float:
        return _run(self._APPLY, str(self._cluster.kubeconfig()), name)

    async def outdate(self, store: Store) -> None:
        await store.apply(_filler("newer"), field_manager="test")
        # A server that starts knows what is, and nothing of what was.
        await asyncio.to_thread(self._cluster.restart, API)

    async def aclose(self) -> None:
        """Close the stores and leave an empty server."""
        paths = [api_resource(kind.kind).path(namespace) for kind in KINDS for namespace in NAMESPACES]
        client = self._client()
        await asyncio.gather(*[client.delete(path) for path in paths])
        for opened in self._opened:
            await opened.aclose()

    def _client(self) -> Client:
        client = Client(transport_to(configuration(kubeconfig=str(self._cluster.kubeconfig()))))
        self._opened.append(client)
        return client


class SimulatedBackend:
    """The simulated API server, as the same store sees it."""

    collects_within = 1.0

    def __init__(self) -> None:
        self._server = ApiServer(SystemClock(), namespaces=NAMESPACES, collect_after=0.05)

    def open(self) -> Store:
        return KubernetesStore(Client(self._server.transport()))

    def apply_elsewhere(self, name: str) -> float:
        pytest.skip("a simulated server is of one process")

    async def outdate(self, store: Store) -> None:
        await store.apply(_filler("newer"), field_manager="test")
        self._server.compact()

    async def aclose(self) -> None:
        """Nothing."""


def _filler(description: str) -> Agent:
    return Agent(metadata=ObjectMeta(name="filler"), spec=AgentSpec(description=description))


def _run(program: str, *arguments: str) -> float:
    command = [sys.executable, "-c", program, *arguments]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout)
