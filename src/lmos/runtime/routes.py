"""The runtime's routes: the contract, and the routing table, ChannelRoutings watched and compiled to what a turn needs.

The runtime only reads: resolving is the operator's work. Lookups are in memory; a change is seen as soon as the store
tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from lmos.conversation.errors import PlatformError
from lmos.operator.base import Source
from lmos.operator.cache import Cache, Informer
from lmos.resources.routing import CapabilityGroup, ChannelRouting
from lmos.router.base import Roster, RosterAgent, RosterCapability
from lmos.runtime.base import AgentAddress
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["Labels", "Route", "Routes", "RoutesUnknown", "RoutingTable", "compile_route"]

_log = logger("runtime")
_LABELS = "labels"

Labels = tuple[str, str, str]
"""Tenant, channel and subset."""


@dataclass(frozen=True)
class Route:
    """One channel's agents: the roster for the classifier, an address for each agent."""

    name: str
    subset: str
    roster: Roster
    addresses: dict[str, AgentAddress]
    routing: ChannelRouting


def compile_route(routing: ChannelRouting) -> Route:
    """What a turn needs of a ChannelRouting. An agent's address is that of its first capability, as in the original."""
    groups = routing.spec.capability_groups
    return Route(
        name=f"{routing.metadata.namespace}/{routing.metadata.name}",
        subset=routing.subset,
        roster=Roster(tuple(_roster_agent(group) for group in groups)),
        addresses={g.name: _address(g, routing.subset) for g in groups if g.capabilities},
        routing=routing,
    )


class RoutesUnknown(PlatformError):
    """Nobody can say which routes there are."""


class Routes(Protocol):
    """Which agents serve a channel."""

    async def find(self, tenant: str, channel: str, subset: str) -> Route | None:
        """The route, or `None` when there is none. Raises `RoutesUnknown`."""
        ...

    def subsets(self, tenant: str, channel: str) -> list[str]:
        """The subsets in which a channel exists, as far as is known, sorted: for error messages."""
        ...


class RoutingTable:
    """`Routes` by tenant, channel and subset. `run()` it as a task for as long as lookups are wanted.

    `on_route` is called with each route that is new or changed.
    """

    def __init__(self, store: Source, namespace: str, on_route: Callable[[Route], None] = lambda _: None) -> None:
        self._on_route = on_route
        self._cache = Cache(ChannelRouting, {_LABELS: _labels})
        self._informer = Informer(store, self._cache, namespace, self._changed)
        self._routes: dict[Labels, Route] = {}

    async def find(self, tenant: str, channel: str, subset: str) -> Route | None:
        """The route, or `None` when no ChannelRouting has these labels."""
        return self._routes.get((tenant, channel, subset))

    def subsets(self, tenant: str, channel: str) -> list[str]:
        """The subsets in which a channel exists, sorted: for error messages."""
        return sorted(s for t, c, s in self._routes if (t, c) == (tenant, channel))

    async def run(self) -> None:
        """Follow the store until cancelled; while it fails, lookups keep the last known state."""
        await self._informer.run()

    @property
    def is_synced(self) -> bool:
        """Whether the first listing is in the table."""
        return self._informer.synced.is_set()

    async def synced(self) -> None:
        """Wait until the first listing is in the table."""
        await self._informer.synced.wait()

    async def caught_up(self) -> None:
        """Wait until the table shows what the store holds now. Raises `StoreError`."""
        await self._informer.caught_up()

    def _changed(self, old: ChannelRouting | None, new: ChannelRouting | None) -> None:
        for labels in {labels for routing in (old, new) if routing is not None for labels in _labels(routing)}:
            self._rebuild(labels)

    def _rebuild(self, labels: Labels) -> None:
        found = sorted(self._cache.by_index(_LABELS, labels), key=lambda routing: routing.metadata.name)
        if not found:
            self._routes.pop(labels, None)
            return
        route = self._routes[labels] = compile_route(found[0])
        self._on_route(route)
        if len(found) > 1:
            _log.warning(
                names.EVENT_ROUTING_AMBIGUOUS,
                tenant=labels[0],
                channel=labels[1],
                subset=labels[2],
                used=found[0].metadata.name,
                ignored=[routing.metadata.name for routing in found[1:]],
                fix="give each Channel of a tenant its own channel or subset label",
            )


def _labels(routing: ChannelRouting) -> Iterable[Labels]:
    """A routing without tenant or channel label serves nobody."""
    if routing.tenant and routing.channel:
        yield routing.tenant, routing.channel, routing.subset


def _roster_agent(group: CapabilityGroup) -> RosterAgent:
    return RosterAgent(
        name=group.name,
        version=group.capabilities[0].provided_version if group.capabilities else "",
        description=group.description,
        capabilities=tuple(
            RosterCapability(c.name, c.provided_version, c.description, c.examples) for c in group.capabilities
        ),
    )


def _address(group: CapabilityGroup, subset: str) -> AgentAddress:
    first = group.capabilities[0]
    return AgentAddress(group.name, first.host, first.endpoint, first.provided_version, subset)
