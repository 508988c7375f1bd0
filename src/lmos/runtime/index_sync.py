"""`IndexSync`: keeps a shared index equal to the examples of the Agents, for every tenant, channel and subset.

Operator and router are unaware of each other; here they meet. It must run once for an index: in `lmos up`, or in the
operator that holds the lease. It works as the operator does: informers feed caches, changes become keys, and a
reconcile of one collection compares what should be there with what is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import anyio

from lmos.encoders.base import Encoder, EncoderError
from lmos.operator.base import ALL_NAMESPACES, Store, StoreError
from lmos.operator.cache import Cache, Informer
from lmos.operator.controller import Controller
from lmos.operator.queue import KeyQueue
from lmos.resources.agent import Agent, ProvidedCapability
from lmos.resources.channel import Channel
from lmos.router.base import Index, IndexEntry, IndexUnavailable
from lmos.router.index_rows import entry_id

__all__ = ["IndexSync", "collection_of"]

_CONTROLLER: Final = "index"
_WORKERS: Final = 2
_SERVED: Final = "served"
_COLLECTION: Final = "collection"

Key = tuple[str, str]
"""The namespace that is watched, and a collection."""


def collection_of(tenant: str, channel: str, subset: str) -> str:
    """The collection of a channel, named as in Eclipse LMOS."""
    return f"{tenant}-{channel}-{subset}"


class IndexSync:
    """Use it as `async with IndexSync(...) as sync:`. It closes neither store nor index.

    A collection exists for each Channel, and for each pair in an Agent's `supportedTenants` and `supportedChannels`. In
    one that neither names any more all entries are removed; those of channels that were never seen are left alone.
    """

    def __init__(self, store: Store, index: Index, encoder: Encoder, *, namespace: str = ALL_NAMESPACES) -> None:
        self._index = index
        self._encoder = encoder
        self._namespace = namespace
        self._agents = Cache(Agent, {_SERVED: _served})
        self._channels = Cache(Channel, {_SERVED: _served_channel, _COLLECTION: _channel_collections})
        self._informers: tuple[Informer[Any], ...] = (
            Informer(store, self._agents, namespace, self._agent_changed),
            Informer(store, self._channels, namespace, self._channel_changed),
        )
        self._queue: KeyQueue[Key] = KeyQueue(_CONTROLLER)
        self._controller = Controller(_CONTROLLER, self._queue, self._reconcile, workers=_WORKERS)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="lmos index sync")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._queue.close()
        if self._task is not None:
            self._task.cancel()
            with anyio.CancelScope(shield=True), suppress(asyncio.CancelledError):
                await self._task

    async def settled(self) -> None:
        """Wait until the index shows what the store holds now. Raises `StoreError` when the store does not answer."""
        for informer in self._informers:
            await informer.caught_up()
        await self._queue.drained()

    async def _run(self) -> None:
        async with anyio.create_task_group() as tasks:
            for informer in self._informers:
                tasks.start_soon(informer.run)
            # Not before all is listed: an agent that is not known yet would be taken for one that is gone.
            for informer in self._informers:
                await informer.synced.wait()
            tasks.start_soon(self._controller.run)

    def _agent_changed(self, old: Agent | None, new: Agent | None) -> None:
        for agent in (old, new):
            if agent is not None:
                self._add(_agent_collections(agent))
                for served in _served(agent):
                    for channel in self._channels.by_index(_SERVED, served):
                        self._add(_channel_collections(channel))

    def _channel_changed(self, old: Channel | None, new: Channel | None) -> None:
        for channel in (old, new):
            if channel is not None:
                self._add(_channel_collections(channel))

    def _add(self, collections: Iterable[Hashable]) -> None:
        for collection in collections:
            self._queue.add((self._namespace, str(collection)))

    async def _reconcile(self, key: Key) -> None:
        """Bring one collection up to date. A fault of index or encoder is tried again later, as one of the store is."""
        _, collection = key
        try:
            await self._equalise(collection, self._wanted(collection))
        except (IndexUnavailable, EncoderError) as error:
            raise StoreError(str(error)) from error

    async def _equalise(self, collection: str, wanted: dict[str, IndexEntry]) -> None:
        there = {entry.id: entry for entry in await self._index.entries(collection)}
        foreign = [entry.id for entry in there.values() if entry.encoder != self._encoder.name]
        if foreign:
            # Vectors of two encoders cannot be compared, and may not even have one length.
            await self._index.remove(collection, foreign)
            there = {entry_id: entry for entry_id, entry in there.items() if entry_id not in set(foreign)}
        missing = [entry for entry_id, entry in wanted.items() if there.get(entry_id) != entry]
        if missing:
            await self._index.upsert(collection, missing, await self._encoder.encode([e.text for e in missing]))
        gone = [entry_id for entry_id in there if entry_id not in wanted]
        if gone:
            await self._index.remove(collection, gone)

    def _wanted(self, collection: str) -> dict[str, IndexEntry]:
        """The entries that belong into a collection, by id."""
        agents: dict[tuple[str, str], Agent] = {}
        for channel in self._channels.by_index(_COLLECTION, collection):
            for served in _served_channel(channel):
                for agent in self._agents.by_index(_SERVED, served):
                    tenants = agent.offer.supported_tenants
                    if not tenants or channel.tenant in tenants:
                        agents[agent.metadata.namespace, agent.metadata.name] = agent
        for name in self._agents.names(self._namespace):
            agent = self._agents.get(name)
            if agent is not None and collection in _agent_collections(agent):
                agents[name] = agent
        found = (entry for name in sorted(agents) for entry in _entries(agents[name], self._encoder.name))
        return {entry.id: entry for entry in found}


def _served(agent: Agent) -> set[Hashable]:
    return {(channel, agent.subset) for channel in agent.offer.supported_channels}


def _served_channel(channel: Channel) -> set[Hashable]:
    return {(channel.channel, channel.subset)} if channel.tenant and channel.channel else set()


def _channel_collections(channel: Channel) -> set[Hashable]:
    if not channel.tenant or not channel.channel:
        return set()
    return {collection_of(channel.tenant, channel.channel, channel.subset)}


def _agent_collections(agent: Agent) -> set[Hashable]:
    offer = agent.offer
    return {collection_of(t, c, agent.subset) for t in offer.supported_tenants for c in offer.supported_channels}


def _entries(agent: Agent, encoder: str) -> Iterable[IndexEntry]:
    for capability in agent.offer.provided_capabilities:
        for example in capability.examples:
            if example.strip():
                yield _entry(agent, capability, example, encoder)


def _entry(agent: Agent, capability: ProvidedCapability, example: str, encoder: str) -> IndexEntry:
    """An example as it is shared: ids only where they differ from the names, and no NUL, which SQL cannot hold."""
    name = agent.metadata.name
    agent_id, capability_id = agent.offer.id or name, capability.id or capability.name
    return IndexEntry(
        id=entry_id(agent_id, capability_id, example),
        agent=name,
        capability=capability.name,
        text=example.replace("\0", " "),
        agent_id="" if agent_id == name else agent_id,
        capability_id="" if capability_id == capability.name else capability_id,
        address=f"{name}.{agent.metadata.namespace}.svc.cluster.local",
        description=capability.description.replace("\0", " "),
        encoder=encoder,
    )
