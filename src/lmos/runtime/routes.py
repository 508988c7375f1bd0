"""The runtime's routing table: ChannelRoutings of the store, watched, compiled to what a turn needs.

The runtime only reads: resolving is the operator's work. Lookups are in memory; a change is seen as soon as the store
tells of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lmos.operator.base import ResourceExpired, Store, StoreError, WatchEvent
from lmos.resources.base import Resource
from lmos.resources.routing import CapabilityGroup, ChannelRouting
from lmos.router.base import Roster, RosterAgent, RosterCapability
from lmos.runtime.base import AgentAddress
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["Route", "RoutingTable"]

_log = logger("runtime")
_RETRY_SECONDS = 1.0


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


class RoutingTable:
    """Routes by (tenant, channel, subset). Run `run()` as a task for as long as lookups are wanted."""

    def __init__(self, store: Store, namespace: str) -> None:
        self._store = store
        self._namespace = namespace
        self._routings: dict[str, ChannelRouting] = {}
        self._routes: dict[tuple[str, str, str], Route] = {}
        self._changed = asyncio.Condition()
        self.synced = asyncio.Event()

    def find(self, tenant: str, channel: str, subset: str) -> Route | None:
        """The route, or `None` when no ChannelRouting has these labels."""
        return self._routes.get((tenant, channel, subset))

    def subsets(self, tenant: str, channel: str) -> list[str]:
        """The subsets in which a channel exists, sorted: for error messages."""
        return sorted(s for t, c, s in self._routes if (t, c) == (tenant, channel))

    async def caught_up(self) -> None:
        """Wait until the table shows every ChannelRouting that is in the store now."""
        listing = await self._store.list(ChannelRouting.KIND, self._namespace)
        wanted = [r for r in listing.items if isinstance(r, ChannelRouting)]

        def shows(routing: ChannelRouting) -> bool:
            mine = self._routings.get(routing.metadata.name)
            return mine is not None and (mine.metadata.generation or 0) >= (routing.metadata.generation or 0)

        async with self._changed:
            await self._changed.wait_for(lambda: all(map(shows, wanted)))

    async def run(self) -> None:
        """Follow the store until cancelled; a store that fails is asked again, lookups keep the last known state."""
        while True:
            try:
                listing = await self._store.list(ChannelRouting.KIND, self._namespace)
                await self._replace(listing.items)
                self.synced.set()
                async for event in self._store.watch(ChannelRouting.KIND, self._namespace, listing.resource_version):
                    await self._apply(event)
            except ResourceExpired:
                continue
            except StoreError as error:
                _log.warning("routing table cannot read the store", error=str(error), retry_seconds=_RETRY_SECONDS)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _replace(self, items: tuple[Resource, ...]) -> None:
        self._routings = {r.metadata.name: r for r in items if isinstance(r, ChannelRouting)}
        self._routes = {}
        for routing in sorted(self._routings.values(), key=lambda r: r.metadata.name):
            self._add(routing)
        await self._notify()

    async def _apply(self, event: WatchEvent) -> None:
        routing = event.resource
        if not isinstance(routing, ChannelRouting):
            return
        before = self._routings.pop(routing.metadata.name, None)
        if event.type != "deleted":
            self._routings[routing.metadata.name] = routing
        for touched in {_labels(r) for r in (before, routing) if r is not None}:
            self._rebuild(touched)
        await self._notify()

    def _rebuild(self, labels: tuple[str, str, str]) -> None:
        self._routes.pop(labels, None)
        for routing in sorted(self._routings.values(), key=lambda r: r.metadata.name):
            if _labels(routing) == labels:
                self._add(routing)

    def _add(self, routing: ChannelRouting) -> None:
        labels = _labels(routing)
        if not labels[0] or not labels[1]:
            return
        if (taken := self._routes.get(labels)) is not None:
            _log.warning(
                names.EVENT_ROUTING_AMBIGUOUS,
                tenant=labels[0],
                channel=labels[1],
                subset=labels[2],
                used=taken.name,
                ignored=routing.metadata.name,
                fix="give each Channel of a tenant its own channel or subset label",
            )
            return
        self._routes[labels] = compile_route(routing)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _labels(routing: ChannelRouting) -> tuple[str, str, str]:
    return routing.tenant or "", routing.channel or "", routing.subset
