"""Runs the operator: informers feed caches, changes become keys, workers reconcile them.

`lmos up` and `lmos operator` start one; `/readyz` asks it whether all is settled. It works on any `Store` and knows
neither SQLite nor Kubernetes. A process that stops it leaves nothing half done: workers finish the key they hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Any, Final, Self

import anyio

from lmos.clock import Clock
from lmos.operator import reasons
from lmos.operator.base import ALL_NAMESPACES, Store
from lmos.operator.cache import Informer, Name
from lmos.operator.channels import ChannelReconciler, Views, touched_by
from lmos.operator.controller import DEFAULT_WORKERS, Controller
from lmos.operator.queue import BASE_DELAY, MAX_DELAY, KeyQueue
from lmos.resources.agent import Agent
from lmos.resources.base import Resource, ResourceKey
from lmos.resources.channel import Channel
from lmos.resources.routing import ChannelRouting
from lmos.telemetry.logs import logger

__all__ = ["Manager", "OperatorStopped"]

_SHUTDOWN_GRACE: Final = 8.0
_CONTROLLER: Final = "channel"
_CRASHED: Final = "the operator crashed; its log says why, and a restart resumes its work"


class OperatorStopped(RuntimeError):
    """Nothing reconciles: the manager was not started, or a bug ended it."""


class Manager:
    """The operator of `namespaces` (all of them by default) on one store.

    Use it as `async with Manager(...) as manager:`, or `run` it for ever. `platform_host` is the `host:port` under
    which other processes reach agents that live in this one.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        namespaces: Collection[str] = (ALL_NAMESPACES,),
        platform_host: str | None = None,
        workers: int = DEFAULT_WORKERS,
        base_delay: float = BASE_DELAY,
        max_delay: float = MAX_DELAY,
    ) -> None:
        if not namespaces:
            raise ValueError("namespaces is empty; name at least one, or ALL_NAMESPACES")
        scopes = (ALL_NAMESPACES,) if ALL_NAMESPACES in namespaces else tuple(dict.fromkeys(namespaces))
        self._views = views = Views()
        self._queue: KeyQueue[Name] = KeyQueue(_CONTROLLER, base=base_delay, cap=max_delay)
        self._agents = [Informer(store, views.agents, scope, self._agent_changed) for scope in scopes]
        self._channels = [Informer(store, views.channels, scope, self._channel_changed) for scope in scopes]
        self._routings = [Informer(store, views.routings, scope, self._routing_changed) for scope in scopes]
        reconciler = ChannelReconciler(store, clock, views, platform_host=platform_host)
        self._controller = Controller(_CONTROLLER, self._queue, reconciler.reconcile, workers=workers)
        self._task: asyncio.Task[None] | None = None
        self._stopped = anyio.Event()
        self._working = False

    @property
    def healthy(self) -> bool:
        """True while workers run and every kind is being watched."""
        return self._working and all(informer.connected for informer in self._informers)

    @property
    def _informers(self) -> Sequence[Informer[Any]]:
        return (*self._agents, *self._channels, *self._routings)

    async def __aenter__(self) -> Self:
        # A task of its own, not a task group around the caller's code: that would wrap the caller's exceptions.
        self._task = asyncio.create_task(self._supervise(), name="lmos operator")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._queue.close()
        if self._working:
            with anyio.move_on_after(_SHUTDOWN_GRACE, shield=True):
                await self._stopped.wait()
        if self._task is not None:
            self._task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait((self._task,))

    async def run(self) -> None:
        """Reconcile until cancelled. Raises `OperatorStopped` after a crash."""
        async with self:
            await asyncio.wait((self._running(),))
            raise OperatorStopped(_CRASHED)

    async def settled(self, keys: Collection[ResourceKey] | None = None) -> None:
        """Wait until every object that the store holds now (or those of `keys`) is known and reconciled.

        A channel whose writes keep failing is not settled. Raises `StoreError` when the store does not answer, and
        `OperatorStopped` when nobody reconciles.
        """
        running, settling = self._running(), asyncio.create_task(self._settle(keys))
        try:
            await asyncio.wait((running, settling), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                raise OperatorStopped(_CRASHED)
            settling.result()
        finally:
            settling.cancel()

    async def _settle(self, keys: Collection[ResourceKey] | None) -> None:
        for kind, informers in ((Agent, self._agents), (Channel, self._channels), (ChannelRouting, self._routings)):
            names = None if keys is None else {(key.namespace, key.name) for key in keys if key.kind == kind.KIND}
            if names is None or names:
                for informer in informers:
                    await informer.caught_up(names)
        await self._queue.drained()

    def _running(self) -> asyncio.Task[None]:
        if self._task is None:
            raise OperatorStopped("the operator was not started; use it in 'async with manager:'")
        return self._task

    async def _supervise(self) -> None:
        """Run all tasks until cancelled. A bug in one of them ends the operator, loudly: `healthy` turns false."""
        try:
            async with anyio.create_task_group() as tasks:
                for informer in self._informers:
                    tasks.start_soon(informer.run)
                tasks.start_soon(self._work)
        except Exception:  # noqa: BLE001 - the border of the operator: its host lives on and shows it as not ready
            logger("operator").exception(reasons.EVENT_OPERATOR_CRASHED)

    async def _work(self) -> None:
        """Start workers only when all kinds are listed: before that, an absent agent may just not be known yet."""
        try:
            for informer in self._informers:
                await informer.synced.wait()
            self._working = True
            await self._controller.run()
        finally:
            self._working = False
            self._stopped.set()

    def _agent_changed(self, old: Agent | None, new: Agent | None) -> None:
        for name in touched_by(self._views, old, new):
            self._queue.add(name)

    def _channel_changed(self, old: Channel | None, new: Channel | None) -> None:
        self._add(new or old)

    def _routing_changed(self, old: ChannelRouting | None, new: ChannelRouting | None) -> None:
        # Somebody else wrote it, or it is gone: its channel, which has the same name, puts it right.
        self._add(new or old)

    def _add(self, resource: Resource | None) -> None:
        if resource is not None:
            self._queue.add((resource.metadata.namespace, resource.metadata.name))
