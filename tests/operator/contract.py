"""What the contract suites of stores say things with: objects in one line, events of a watch, objects that go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from lmos.operator.base import ALL_NAMESPACES, Store, WatchEvent
from lmos.resources.agent import Agent, AgentSpec
from lmos.resources.base import ObjectMeta, OwnerReference, Resource
from lmos.resources.channel import Channel, ChannelSpec, ChannelStatus, ResolveStatus
from lmos.resources.routing import ChannelRouting, ChannelRoutingSpec

__all__ = ["RESOLVED", "agent", "apply", "changes", "channel", "now", "owned", "take", "until_gone", "watching"]

RESOLVED: Final = ChannelStatus(resolve_status=ResolveStatus.RESOLVED, observed_generation=1)


def agent(name: str, *, namespace: str = "default", description: str = "", **labels: str) -> Agent:
    return Agent(
        metadata=ObjectMeta(name=name, namespace=namespace, labels=labels), spec=AgentSpec(description=description)
    )


def channel(name: str = "web") -> Channel:
    return Channel(metadata=ObjectMeta(name=name), spec=ChannelSpec(required_capabilities=()))


def owned(name: str, *owners: Resource) -> ChannelRouting:
    references = tuple(
        OwnerReference(kind=owner.KIND, name=owner.metadata.name, uid=owner.metadata.uid or "") for owner in owners
    )
    return ChannelRouting(metadata=ObjectMeta(name=name, owner_references=references), spec=ChannelRoutingSpec())


async def apply(store: Store, resource: Resource) -> Resource:
    return await store.apply(resource, field_manager="test")


async def now(store: Store) -> str:
    return (await store.list("Agent", ALL_NAMESPACES)).resource_version


async def take(watch: AsyncIterator[WatchEvent], count: int, seconds: float = 5.0) -> list[WatchEvent]:
    """The next `count` events that are no bookmarks."""
    found: list[WatchEvent] = []
    async with asyncio.timeout(seconds):
        while len(found) < count:
            event = await anext(watch)
            if event.type != "bookmark":
                found.append(event)
    return found


async def changes(store: Store, kind: str, since: str, count: int) -> list[tuple[str, str]]:
    """Type and name of the next `count` changes."""
    async with aclosing(watching(store, kind, since)) as watch:
        return [(e.type, e.resource.metadata.name if e.resource else "") for e in await take(watch, count)]


async def watching(
    store: Store, kind: str, since: str, namespace: str = ALL_NAMESPACES
) -> AsyncGenerator[WatchEvent, None]:
    async for event in store.watch(kind, namespace, since):
        yield event


async def until_gone(store: Store, kind: str, name: str, seconds: float) -> None:
    """Wait until the object is gone, for `seconds` at most."""
    end = asyncio.get_running_loop().time() + seconds
    while await store.get(kind, "default", name) is not None:
        assert asyncio.get_running_loop().time() < end, f"{kind} {name} is still there"
        await asyncio.sleep(0.02)
