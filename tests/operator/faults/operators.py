"""Operators as processes of a schedule: composed as `lmos operator` composes them, on a faulty network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from random import Random
from typing import Final

from lmos.clock import Clock
from lmos.operator.base import Store
from lmos.operator.discovery.base import Documents
from lmos.operator.election import require_leading
from lmos.operator.kubernetes.client import Client
from lmos.operator.kubernetes.events import KubernetesRecorder
from lmos.operator.kubernetes.lease import LeaseElection
from lmos.operator.kubernetes.store import KubernetesStore
from lmos.operator.kubernetes.transport import Transport
from lmos.operator.manager import Manager
from lmos.operator.views import Views
from tests.operator.faults.ledger import LEASE, Ledger
from tests.operator.faults.loop import Process, VirtualLoop
from tests.operator.faults.stepping import SteppedDocuments, SteppedStore

__all__ = ["Operator", "StoreOver", "healthy_store"]

STALL: Final = 20.0
"""Seconds of silence after which a watch is begun again; less than in earnest, so that schedules are short."""

StoreOver = Callable[[Client, Callable[[], float]], Store]
"""Makes the store of an operator. Those with a bug are made here, to see that it is found."""


def healthy_store(client: Client, jitter: Callable[[], float]) -> Store:
    return KubernetesStore(client, stall=STALL, jitter=jitter)


class Operator:
    """One process that runs the operator, with a Lease if there are others. It runs from construction on.

    `suspended` is called with it before each wait of one of its reconciles.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        name: str,
        *,
        connect: Callable[[Process], Transport],
        ledger: Ledger,
        clock: Clock,
        rng: Random,
        election: bool,
        documents: Documents | None = None,
        store: StoreOver = healthy_store,
        fenced: bool = True,
        suspended: Callable[[Operator], None] | None = None,
    ) -> None:
        self.process = Process(loop, name)
        self.manager: Manager | None = None
        self.election: LeaseElection | None = None
        self._connect = connect
        self._ledger = ledger
        self._clock = clock
        self._rng = rng
        self._elects = election
        self._documents = documents
        self._store = store
        self._fenced = fenced
        self._suspended = suspended
        self._began = asyncio.Event()
        self._stopped = asyncio.Event()
        self.task = self.process.run(self._main())

    @property
    def name(self) -> str:
        return self.process.name

    @property
    def alive(self) -> bool:
        return not (self.process.dead or self.task.done())

    @property
    def leads(self) -> bool:
        if self.election is None:
            return self.alive and not self._elects
        return self.alive and self.election.leading

    def stop(self) -> None:
        """As SIGTERM."""
        self._stopped.set()

    async def leading(self) -> None:
        """Wait until it leads."""
        await self._began.wait()
        if self.election is not None:
            await self.election.elected()

    async def settled(self) -> None:
        """Wait until its caches are as the server, and, if it leads, all is reconciled."""
        await self._began.wait()
        assert self.manager is not None
        if self.leads:
            await self.manager.settled()
        else:
            for informer in self.manager.informers:
                await informer.caught_up()

    async def _main(self) -> None:
        client = Client(self._connect(self.process), jitter=self._rng.random)
        async with AsyncExitStack() as stack:
            if self._elects:
                self.election = LeaseElection(
                    client,
                    self._clock,
                    name=LEASE,
                    namespace="default",
                    identity=self.name,
                    jitter=self._rng.random,
                )
                await stack.enter_async_context(self.election)
            recorder = await stack.enter_async_context(KubernetesRecorder(client, self._clock, identity=self.name))
            writing = client
            if self.election is not None and self._fenced:
                writing = client.guarded(partial(require_leading, self.election))
            store, documents = self._store(writing, self._rng.random), self._documents
            if self._suspended is not None:
                suspended = partial(self._suspended, self)
                store = SteppedStore(store, suspended)
                documents = SteppedDocuments(documents, suspended) if documents is not None else None
            store = self._ledger.watch(store, self._views, self.name)
            manager = Manager(
                store,
                self._clock,
                election=self.election,
                recorder=recorder,
                documents=documents,
                workloads=self._documents is not None,
                workers=4,
            )
            self.manager = manager
            self._began.set()
            await stack.enter_async_context(manager)
            await self._stopped.wait()

    def _views(self) -> Views:
        assert self.manager is not None
        return self.manager.views
