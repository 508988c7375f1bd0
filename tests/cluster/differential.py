"""One operator on the embedded store and one on a cluster, the same worlds in both: do they make the same of them?

Each namespace goes through one world after the other, so agents and channels appear, change and vanish while the
operators run. Compared is everything about Channels and ChannelRoutings but what a server gives each object anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any, Final

import yaml

from lmos.operator.base import ALL_NAMESPACES, Store
from lmos.operator.manager import Manager
from lmos.resources.base import Resource, ResourceKey
from lmos.resources.channel import Channel
from lmos.resources.routing import ChannelRouting
from tests.cluster.worlds import World

__all__ = ["Difference", "Home", "differences", "normal"]

Json = dict[str, Any]

_AT_ONCE: Final = 16
_COLLECTED_SECONDS: Final = 20.0


@dataclass
class Home:
    """A store with a running operator on it, and what is in it."""

    store: Store
    manager: Manager
    held: dict[str, dict[ResourceKey, Resource]] = field(default_factory=dict[str, dict[ResourceKey, Resource]])

    async def become(self, worlds: Mapping[str, World]) -> dict[str, list[Json]]:
        """Make each namespace hold this world and nothing else; what the operator makes of it, by namespace."""
        await _all(work for namespace, world in worlds.items() for work in self._steps(namespace, world))
        await self.manager.settled()
        return await self._found(worlds)

    def _steps(self, namespace: str, world: World) -> Iterator[Awaitable[object]]:
        before = self.held.get(namespace, {})
        now = {resource.key: resource for resource in (one.with_meta(namespace=namespace) for one in world)}
        self.held[namespace] = now
        for key in before.keys() - now.keys():
            yield self.store.delete(key.kind, key.namespace, key.name)
        for resource in now.values():
            yield self.store.apply(resource, field_manager="people")

    async def _found(self, namespaces: Iterable[str]) -> dict[str, list[Json]]:
        found: dict[str, list[Json]] = {namespace: [] for namespace in namespaces}
        channels = await self.store.list(Channel.KIND, ALL_NAMESPACES)
        # A cluster's garbage collector takes its time to remove the routings of channels that are gone.
        async with asyncio.timeout(_COLLECTED_SECONDS):
            while True:
                routings = await self.store.list(ChannelRouting.KIND, ALL_NAMESPACES)
                if _names(routings.items, found) <= _names(channels.items, found):
                    break
                await asyncio.sleep(0.05)
        uids = {channel.metadata.uid: str(channel.key) for channel in channels.items}
        for resource in (*channels.items, *routings.items):
            if resource.metadata.namespace in found:
                found[resource.metadata.namespace].append(normal(resource.to_wire(), uids))
        return found


@dataclass(frozen=True)
class Difference:
    """A world that the two homes see differently, and the one that was in the namespace before."""

    world: World
    before: World
    embedded: list[Json]
    cluster: list[Json]

    @property
    def size(self) -> int:
        return len(_manifests(self.world)) + len(_manifests(self.before))

    def __str__(self) -> str:
        ours, theirs = (yaml.safe_dump_all(found).splitlines() for found in (self.embedded, self.cluster))
        parts = {
            "in the namespace before": _manifests(self.before),
            "now": _manifests(self.world),
            "what differs": "\n".join(unified_diff(ours, theirs, "embedded", "cluster", lineterm="", n=6)),
        }
        return "\n".join(f"# {title}\n{text}" for title, text in parts.items())


async def differences(
    embedded: Home, cluster: Home, worlds: Sequence[World], namespaces: Sequence[str]
) -> list[Difference]:
    """All differences, the smallest first. World after world is put into each of the `namespaces`."""
    found: list[Difference] = []
    before: dict[str, World] = {}
    for start in range(0, len(worlds), len(namespaces)):
        now = dict(zip(namespaces, worlds[start : start + len(namespaces)], strict=False))
        ours, theirs = await asyncio.gather(embedded.become(now), cluster.become(now))
        found += [
            Difference(world, before.get(namespace, ()), ours[namespace], theirs[namespace])
            for namespace, world in now.items()
            if ours[namespace] != theirs[namespace]
        ]
        before |= now
    return sorted(found, key=lambda difference: difference.size)


def normal(wire: Json, uids: Mapping[str | None, str]) -> Json:
    """An object without what is given anew in each store; the uid of an owner is replaced by the owner that has it.

    How often a ChannelRouting was written depends on which changes the operator saw at once.
    """
    dropped = {"uid", "resourceVersion", "creationTimestamp", "managedFields"}
    if wire["kind"] == ChannelRouting.KIND:
        dropped.add("generation")
    metadata = {name: value for name, value in wire["metadata"].items() if name not in dropped}
    owners: list[Json] = metadata.get("ownerReferences", [])
    if owners:
        metadata["ownerReferences"] = [owner | {"uid": uids.get(owner["uid"], "nobody's")} for owner in owners]
    status: Json = dict(wire.get("status", {}))
    conditions: list[Json] = status.get("conditions", [])
    if conditions:
        status["conditions"] = [
            {name: value for name, value in condition.items() if name != "lastTransitionTime"}
            for condition in conditions
        ]
    return wire | {"metadata": metadata} | ({"status": status} if status else {})


def _names(resources: Iterable[Resource], namespaces: Iterable[str]) -> set[tuple[str, str]]:
    wanted = set(namespaces)
    names = ((resource.metadata.namespace, resource.metadata.name) for resource in resources)
    return {name for name in names if name[0] in wanted}


def _manifests(world: World) -> str:
    return yaml.safe_dump_all([resource.to_wire() for resource in world], allow_unicode=True, sort_keys=False)


async def _all(work: Iterable[Awaitable[object]]) -> None:
    left = iter(work)

    async def worker() -> None:
        for one in left:
            await one

    await asyncio.gather(*(worker() for _ in range(_AT_ONCE)))
