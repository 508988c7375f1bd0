"""The Channel controller: keeps each Channel's ChannelRouting and status equal to what its agents provide.

The manager feeds it. A reconcile reads everything from caches, derives the desired state by pure functions, and writes
only what differs. When a Channel goes, the store removes the routing that it owns. This module also knows which
channels a change can touch, so that one agent's change does not reconcile ten thousand channels.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from lmos.clock import Clock
from lmos.operator import metrics, reasons
from lmos.operator.base import NotFound, Store
from lmos.operator.cache import Cache, Name
from lmos.operator.derive import COPIED_LABELS, routing_for, status_for
from lmos.operator.resolver import Resolution, resolve
from lmos.resources.agent import Agent
from lmos.resources.channel import Channel
from lmos.resources.routing import ChannelRouting

__all__ = ["ChannelReconciler", "Views", "touched_by"]

_CAPABILITY = "capability"
_NAMESPACE = "namespace"
# Stands for "requires nothing": such a channel is resolved as soon as any agent serves it. No capability has this name.
_NOTHING = ""


class Views:
    """The three caches that the controller reads, with the indices that it needs."""

    def __init__(self) -> None:
        sizes = metrics.CACHE_OBJECTS
        self.agents = Cache(Agent, {_CAPABILITY: _provided, _NAMESPACE: _namespace}, size=sizes.labels(Agent.KIND))
        self.channels = Cache(Channel, {_CAPABILITY: _required}, size=sizes.labels(Channel.KIND))
        self.routings = Cache(ChannelRouting, size=sizes.labels(ChannelRouting.KIND))

    def agents_for(self, channel: Channel) -> Iterable[Agent]:
        """Every agent on which the resolution of `channel` can depend."""
        namespace = channel.metadata.namespace
        if not channel.spec.required_capabilities:
            return self.agents.by_index(_NAMESPACE, namespace)
        found: dict[str, Agent] = {}
        for capability in channel.spec.required_capabilities:
            for agent in self.agents.by_index(_CAPABILITY, (namespace, capability.name)):
                found[agent.metadata.name] = agent
        return found.values()


def touched_by(views: Views, old: Agent | None, new: Agent | None) -> set[Name]:
    """The channels whose resolution can change when agent `old` becomes `new` (`None`: it does not exist)."""
    if old is not None and new is not None and old.spec == new.spec and old.subset == new.subset:
        return set()
    values: set[Hashable] = set()
    for agent in (old, new):
        if agent is not None:
            values.add((agent.metadata.namespace, _NOTHING))
            values.update(_provided(agent))
    return {
        (channel.metadata.namespace, channel.metadata.name)
        for value in values
        for channel in views.channels.by_index(_CAPABILITY, value)
    }


class ChannelReconciler:
    """`reconcile(name)` brings one Channel's routing and status up to date. Raises `StoreError` when a write fails."""

    def __init__(self, store: Store, clock: Clock, views: Views, *, platform_host: str | None) -> None:
        self._store = store
        self._clock = clock
        self._views = views
        self._platform_host = platform_host

    async def reconcile(self, name: Name) -> None:
        channel = self._views.channels.get(name)
        if channel is None or channel.metadata.deletion_timestamp is not None:
            return
        resolution = resolve(channel, self._views.agents_for(channel))
        await self._write_routing(channel, resolution)
        await self._write_status(channel, resolution)

    async def _write_routing(self, channel: Channel, resolution: Resolution) -> None:
        desired = routing_for(channel, resolution, platform_host=self._platform_host)
        known = self._views.routings.get((channel.metadata.namespace, channel.metadata.name))
        if known is None or not _equal(known, desired):
            written = await self._store.apply(desired, field_manager=reasons.FIELD_MANAGER)
            self._views.routings.record(written)

    async def _write_status(self, channel: Channel, resolution: Resolution) -> None:
        status = status_for(channel, resolution, self._clock.now())
        if channel.status == status:
            return
        # Conditional on the version that was read: a status never describes, or hides, a spec that was not seen.
        changed = channel.model_copy(update={"status": status})
        try:
            written = await self._store.update_status(changed, field_manager=reasons.STATUS_FIELD_MANAGER)
        except NotFound:
            # Deleted since it was read; its event is on the way, and there is nothing left to describe.
            return
        self._views.channels.record(written)


def _equal(known: ChannelRouting, desired: ChannelRouting) -> bool:
    """Whether what the operator owns in `known` is as desired; labels that others add are theirs."""
    labels, wanted = known.metadata.labels, desired.metadata.labels
    return (
        known.spec == desired.spec
        and all(labels.get(label) == wanted.get(label) for label in COPIED_LABELS)
        and all(owner in known.metadata.owner_references for owner in desired.metadata.owner_references)
    )


def _provided(agent: Agent) -> Iterable[Hashable]:
    return {(agent.metadata.namespace, capability.name) for capability in agent.spec.provided_capabilities}


def _required(channel: Channel) -> Iterable[Hashable]:
    names = {capability.name for capability in channel.spec.required_capabilities} or {_NOTHING}
    return {(channel.metadata.namespace, name) for name in names}


def _namespace(agent: Agent) -> Iterable[Hashable]:
    return (agent.metadata.namespace,)
