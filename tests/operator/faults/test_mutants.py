"""The suite can fail: operators with a bug that others have had are found out, each within some schedules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping

import pytest

from lmos.operator.base import Listing, Store, WatchEvent
from lmos.operator.kubernetes.client import Client
from lmos.resources.base import Resource, ResourceKey
from lmos.resources.channel import Channel
from tests.operator.faults.operators import healthy_store
from tests.operator.faults.quiet import quiet
from tests.operator.faults.schedule import Schedule, run

SCHEDULES = 80


class _Passing:
    """A store as it should be, for those that are not in one respect."""

    def __init__(self, client: Client, jitter: Callable[[], float]) -> None:
        self._store: Store = healthy_store(client, jitter)

    async def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        return await self._store.get(kind, namespace, name)

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        return await self._store.list(kind, namespace, selector)

    def watch(self, kind: str, namespace: str, since: str) -> AsyncIterator[WatchEvent]:
        return self._store.watch(kind, namespace, since)

    async def apply(
        self, resource: Resource, *, field_manager: str, force: bool = True, without: Collection[str] = ()
    ) -> Resource:
        return await self._store.apply(resource, field_manager=field_manager, force=force, without=without)

    async def update_status(self, resource: Resource, *, field_manager: str) -> Resource:
        return await self._store.update_status(resource, field_manager=field_manager)

    async def delete(self, kind: str, namespace: str, name: str) -> bool:
        return await self._store.delete(kind, namespace, name)


class KeepsGhosts(_Passing):
    """After a list, what vanished in between is still there."""

    def __init__(self, client: Client, jitter: Callable[[], float]) -> None:
        super().__init__(client, jitter)
        self._seen: dict[ResourceKey, Resource] = {}

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        listing = await super().list(kind, namespace, selector)
        self._seen |= {resource.key: resource for resource in listing.items}
        found = {resource.key: resource for resource in listing.items}
        ghosts = [known for key, known in self._seen.items() if key.kind == kind and key not in found]
        return Listing((*listing.items, *ghosts), listing.resource_version)


class ForgetsDeletions(_Passing):
    """A watch does not tell of deletions."""

    async def watch(self, kind: str, namespace: str, since: str) -> AsyncIterator[WatchEvent]:
        async for event in super().watch(kind, namespace, since):
            if event.type != "deleted":
                yield event


class WritesBlindly(_Passing):
    """A status is written whatever the object has become since it was read."""

    async def update_status(self, resource: Resource, *, field_manager: str) -> Resource:
        blind = resource.with_meta(uid=None, resource_version=None)
        return await super().update_status(blind, field_manager=field_manager)


class CannotReadStatuses(_Passing):
    """So each status is written again and again."""

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        listing = await super().list(kind, namespace, selector)
        items = (
            item.model_copy(update={"status": None}) if isinstance(item, Channel) else item for item in listing.items
        )
        return Listing(tuple(items), listing.resource_version)


class NeverRepairs(_Passing):
    """Of ChannelRoutings it hears only when they come and go."""

    async def watch(self, kind: str, namespace: str, since: str) -> AsyncIterator[WatchEvent]:
        async for event in super().watch(kind, namespace, since):
            if not (kind == "ChannelRouting" and event.type == "modified"):
                yield event


@pytest.mark.parametrize("store", [KeepsGhosts, ForgetsDeletions, WritesBlindly, CannotReadStatuses, NeverRepairs])
def test_a_bug_is_found(store: type[_Passing]) -> None:
    with quiet():
        assert any(run(Schedule(seed, store=store)).wrongs for seed in range(1, 1 + SCHEDULES))


def test_an_operator_without_a_fence_is_found() -> None:
    with quiet():
        schedules = (Schedule(seed, fenced=False) for seed in range(0, 900, 3))
        assert any("holds the Lease" in wrong for schedule in schedules for wrong in run(schedule).wrongs)
