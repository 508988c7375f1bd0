"""A store that people write to, and the same store as the operator sees it: for tests of the whole operator."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmos.clock import SystemClock
from lmos.database.engine import Database
from lmos.operator.base import Store
from lmos.operator.manager import Manager
from lmos.operator.sqlite import SqliteStore
from lmos.resources.base import Resource
from lmos.resources.channel import Channel, ResolveStatus
from lmos.resources.routing import ChannelRouting
from tests.operator.flaky import FlakyStore

__all__ = ["World", "open_world"]


@dataclass
class World:
    """A store that people write to, and the same store as the operator sees it."""

    store: Store
    seen: FlakyStore

    def manager(self, **options: Any) -> Manager:
        return Manager(self.seen, SystemClock(), **options)

    async def put(self, *resources: Resource) -> None:
        for resource in resources:
            await self.store.apply(resource, field_manager="test")

    async def remove(self, resource: Resource) -> None:
        key = resource.key
        assert await self.store.delete(key.kind, key.namespace, key.name)

    async def channel(self, name: str = "web") -> Channel:
        found = await self.store.get("Channel", "default", name)
        assert isinstance(found, Channel)
        return found

    async def providers(self, name: str = "web") -> list[str] | None:
        """The groups of the channel's routing, `None` without one."""
        found = await self.store.get("ChannelRouting", "default", name)
        assert found is None or isinstance(found, ChannelRouting)
        return None if found is None else [group.name for group in found.spec.capability_groups]

    async def status(self, name: str = "web") -> ResolveStatus | None:
        found = await self.channel(name)
        return None if found.status is None else found.status.resolve_status


@asynccontextmanager
async def open_world(folder: Path) -> AsyncGenerator[World, None]:
    """An empty world on a SQLite store in `folder`."""
    database = Database.open(folder / "lmos.db", synchronous="normal")
    store = SqliteStore(database, SystemClock())
    yield World(store, FlakyStore(store))
    await store.aclose()
    await database.aclose()
