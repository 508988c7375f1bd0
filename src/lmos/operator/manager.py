"""Runs the operator: informers feed caches, changes become keys, workers reconcile them while this operator leads.

`lmos up` and `lmos operator` start one; `/readyz` asks it whether all is settled. It works on any `Store` and knows
neither SQLite nor Kubernetes. A process that stops it leaves nothing half done: workers finish the key they hold. One
that is deposed stops at once: its writes are the next leader's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from random import uniform
from types import TracebackType
from typing import Any, Final, Self

import anyio

from lmos.clock import Clock
from lmos.operator import metrics, reasons
from lmos.operator.agents import AgentReconciler
from lmos.operator.base import ALL_NAMESPACES, Store, StoreError
from lmos.operator.cache import Informer, Name
from lmos.operator.catalog import Catalog
from lmos.operator.channels import ChannelReconciler
from lmos.operator.controller import DEFAULT_WORKERS, Controller, Reconcile
from lmos.operator.discovery.base import Documents
from lmos.operator.election import AlwaysLeading, Election, Fenced
from lmos.operator.queue import BASE_DELAY, MAX_DELAY, KeyQueue
from lmos.operator.recorder import Recorder, Silent
from lmos.operator.views import Views, resolved_channels, touched_by
from lmos.operator.workloads import Service, Workload
from lmos.resources.agent import Agent
from lmos.resources.base import Resource, ResourceKey
from lmos.resources.channel import Channel
from lmos.resources.routing import ChannelRouting
from lmos.telemetry.logs import logger

__all__ = ["Manager", "OperatorStopped"]

_SHUTDOWN_GRACE: Final = 5.0
"""Seconds for what is being reconciled to finish; then come events and Lease, and all must be over in ten."""
_RESYNC: Final = (600.0, 1200.0)
"""Seconds between two rounds over all objects, chosen anew each time: drift that no event told of is put right then."""
_AGENT: Final = "agent"
_CHANNEL: Final = "channel"
_CRASHED: Final = "the operator crashed; its log says why, and a restart resumes its work"


class OperatorStopped(RuntimeError):
    """Nothing reconciles: the manager was not started, or a bug ended it."""


@dataclass(frozen=True, slots=True)
class _Duty:
    """One controller: what it does with a key, and all keys that it answers for."""

    name: str
    reconcile: Reconcile[Name]
    names: Callable[[], Iterable[Name]]


class Manager:
    """The operator of `namespaces` (all of them by default) on one store.

    Use it as `async with Manager(...) as manager:`, or `run` it for ever. `platform_host` is the `host:port` under
    which other processes reach agents that live in this one. `documents` asks agents what they can do. With `workloads`
    Deployments become Agents, with `argo_rollouts` Argo's Rollouts: only a store on Kubernetes has these.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        namespaces: Collection[str] = (ALL_NAMESPACES,),
        platform_host: str | None = None,
        election: Election | None = None,
        recorder: Recorder | None = None,
        documents: Documents | None = None,
        workloads: bool = False,
        argo_rollouts: bool = False,
        workers: int = DEFAULT_WORKERS,
        base_delay: float = BASE_DELAY,
        max_delay: float = MAX_DELAY,
    ) -> None:
        if not namespaces:
            raise ValueError("namespaces is empty; name at least one, or ALL_NAMESPACES")
        scopes = (ALL_NAMESPACES,) if ALL_NAMESPACES in namespaces else tuple(dict.fromkeys(namespaces))
        self._election = election = election or AlwaysLeading()
        self._delays = base_delay, max_delay
        self._workers = workers
        self._views = views = Views()
        self._agents = [Informer(store, views.agents, scope, self._agent_changed) for scope in scopes]
        self._catalog = Catalog(views.channels, views.routings)
        feed = self._catalog.feed
        self._channels = [
            Informer(store, views.channels, scope, self._channel_changed, feed=feed(Channel.KIND, scope))
            for scope in scopes
        ]
        self._routings = [
            Informer(store, views.routings, scope, self._routing_changed, feed=feed(ChannelRouting.KIND, scope))
            for scope in scopes
        ]
        running, argo = scopes if workloads else (), scopes if argo_rollouts else ()
        in_front = scopes if workloads or argo_rollouts else ()
        self._deployments = [Informer(store, views.deployments, scope, self._workload_changed) for scope in running]
        self._rollouts = [Informer(store, views.rollouts, scope, self._workload_changed) for scope in argo]
        self._services = [Informer(store, views.services, scope, self._service_changed) for scope in in_front]
        writing, recorder = Fenced(store, election), recorder or Silent()
        agents = AgentReconciler(
            writing,
            clock,
            views,
            recorder,
            documents=documents,
            watched=self._is_watched,
            changed=self._wake_channels,
        )
        channels = ChannelReconciler(writing, clock, views, recorder, platform_host=platform_host)
        # In the order in which they feed each other: `settled` drains them one after the other.
        self._duties = (
            _Duty(_AGENT, agents.reconcile, views.agent_names),
            _Duty(_CHANNEL, channels.reconcile, views.channels.names),
        )
        # Those of the current term; changes outside of a term are found in the caches when the next one begins.
        self._queues: dict[str, KeyQueue[Name]] = {}
        self._controllers: list[Controller[Name]] = []
        self._term_began = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._stopped = anyio.Event()
        self._working = False

    @property
    def views(self) -> Views:
        """What the operator knows; read it only."""
        return self._views

    @property
    def catalog(self) -> Catalog:
        """Channels and ChannelRoutings for those who read them, and follow their changes."""
        return self._catalog

    @property
    def healthy(self) -> bool:
        """True while it leads or stands by, and every kind is being watched."""
        return self._working and all(informer.connected for informer in self.informers)

    @property
    def working(self) -> bool:
        """True while it leads or stands by: from when all kinds are listed until it stops or crashes."""
        return self._working

    @property
    def crashed(self) -> bool:
        """Whether a bug has ended it: only a new process helps."""
        return self._task is not None and self._task.done() and not self._stopping

    @property
    def informers(self) -> Sequence[Informer[Any]]:
        """What it watches; for those who tell how it is."""
        ours = (*self._agents, *self._channels, *self._routings)
        return (*ours, *self._deployments, *self._rollouts, *self._services)

    @property
    def required(self) -> Sequence[Informer[Any]]:
        """Those without which it does not begin."""
        return [informer for informer in self.informers if informer not in self._rollouts]

    @property
    def faults(self) -> Sequence[StoreError]:
        """What keeps it from reading and writing now."""
        reading = [informer.fault for informer in self.informers if informer.fault is not None]
        return [*reading, *(fault for controller in self._controllers for fault in controller.faults.values())]

    @property
    def longest(self) -> float:
        """Seconds that the longest reconcile has taken so far."""
        return max((queue.longest() for queue in self._queues.values()), default=0.0)

    async def __aenter__(self) -> Self:
        # A task of its own, not a task group around the caller's code: that would wrap the caller's exceptions.
        self._task = asyncio.create_task(self._supervise(), name="lmos operator")
        for kind in {informer.kind for informer in self.informers}:
            watched = [informer for informer in self.informers if informer.kind == kind]
            metrics.CACHE_LAST_EVENT_SECONDS.labels(kind).set_function(partial(_longest_silence, watched))
        metrics.CHANNEL_RESOLVED.source = partial(resolved_channels, self._views)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping = True
        for queue in self._queues.values():
            queue.close()
        if self._queues:
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
        for informer in self.informers:
            names = None if keys is None else {(key.namespace, key.name) for key in keys if key.kind == informer.kind}
            if (names is None or names) and not self._may_be_missing(informer):
                await informer.caught_up(names)
        await self._term_began.wait()
        for queue in self._queues.values():
            await queue.drained()

    def _running(self) -> asyncio.Task[None]:
        if self._task is None:
            raise OperatorStopped("the operator was not started; use it in 'async with manager:'")
        return self._task

    async def _supervise(self) -> None:
        """Run all tasks until cancelled. A bug in one of them ends the operator, loudly: `healthy` turns false."""
        try:
            async with anyio.create_task_group() as tasks:
                for informer in self.informers:
                    tasks.start_soon(informer.run)
                tasks.start_soon(self._work)
        except Exception:  # noqa: BLE001 - the border of the operator: its host lives on and shows it as not ready
            logger("operator").exception(reasons.EVENT_OPERATOR_CRASHED)

    async def _work(self) -> None:
        """Serve term after term, but only when all kinds are listed: before, an absent agent may just be unknown."""
        try:
            for informer in self.informers:
                if not self._may_be_missing(informer):
                    await informer.synced.wait()
            self._working = True
            while not self._stopping:
                await self._election.elected()
                await self._serve_term()
        finally:
            self._working = False
            self._stopped.set()

    async def _serve_term(self) -> None:
        """Reconcile everything once, then what changes, until deposed or stopped."""
        base, cap = self._delays
        self._queues = {duty.name: KeyQueue(duty.name, base=base, cap=cap) for duty in self._duties}
        try:
            self._enqueue_all()
            self._term_began.set()
            async with anyio.create_task_group() as term:
                term.start_soon(self._until_deposed, term.cancel_scope)
                term.start_soon(self._resync)
                self._controllers = [
                    Controller(duty.name, self._queues[duty.name], duty.reconcile, workers=self._workers)
                    for duty in self._duties
                ]
                async with anyio.create_task_group() as controllers:
                    for controller in self._controllers:
                        controllers.start_soon(controller.run)
                term.cancel_scope.cancel()
        finally:
            self._term_began.clear()
            for queue in self._queues.values():
                queue.close()
            self._queues, self._controllers = {}, []

    async def _until_deposed(self, term: anyio.CancelScope) -> None:
        await self._election.deposed()
        logger("operator").warning(reasons.EVENT_TERM_ENDED)
        term.cancel()

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(uniform(*_RESYNC))  # noqa: S311 - spreads load, guards nothing
            self._enqueue_all()

    def _enqueue_all(self) -> None:
        for duty in self._duties:
            for name in sorted(duty.names()):  # so that the same changes lead to the same requests
                self._enqueue(duty.name, name)

    def _enqueue(self, duty: str, name: Name) -> None:
        if (queue := self._queues.get(duty)) is not None:
            queue.add(name)

    def _agent_changed(self, old: Agent | None, new: Agent | None) -> None:
        self._same_name(_AGENT, new or old)
        self._wake_channels(old, new)

    def _wake_channels(self, old: Agent | None, new: Agent | None) -> None:
        for name in sorted(touched_by(self._views, old, new)):
            self._enqueue(_CHANNEL, name)

    def _workload_changed(self, old: Workload | None, new: Workload | None) -> None:
        # Most changes of a workload are about what discovery does not look at.
        if old is None or new is None or not old.is_like(new):
            self._same_name(_AGENT, new or old)

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        if old is not None and new is not None and old.spec == new.spec:
            return
        for service in filter(None, (old, new)):
            for workload in self._views.workloads_behind(service):
                self._same_name(_AGENT, workload)

    def _may_be_missing(self, informer: Informer[Any]) -> bool:
        """Argo's kind may not be installed yet. A Rollout only adds an Agent, and does so as soon as it is known."""
        return informer in self._rollouts and not informer.synced.is_set()

    def _is_watched(self, kind: str) -> bool:
        """Whether all objects of a workload's kind are known."""
        informers = [informer for informer in (*self._deployments, *self._rollouts) if informer.kind == kind]
        return bool(informers) and all(informer.synced.is_set() for informer in informers)

    def _channel_changed(self, old: Channel | None, new: Channel | None) -> None:
        self._same_name(_CHANNEL, new or old)

    def _routing_changed(self, old: ChannelRouting | None, new: ChannelRouting | None) -> None:
        # Somebody else wrote it, or it is gone: its channel, which has the same name, puts it right.
        self._same_name(_CHANNEL, new or old)

    def _same_name(self, duty: str, resource: Resource | None) -> None:
        if resource is not None:
            self._enqueue(duty, (resource.metadata.namespace, resource.metadata.name))


def _longest_silence(informers: Sequence[Informer[Any]]) -> float:
    return max(informer.silence for informer in informers)
