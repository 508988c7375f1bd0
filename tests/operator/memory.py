"""A store in memory that knows Deployments, Rollouts and Services too: for hours of virtual time without a thread.

It behaves as the Kubernetes API does as far as controllers see: uids, generations, versions, conditional writes,
removal with the owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from itertools import count
from typing import Any

from lmos.operator.base import ALL_NAMESPACES, Listing, NotFound, WatchEvent
from lmos.operator.preconditions import Found, check_preconditions
from lmos.operator.workloads import Service, Workload
from lmos.resources.base import Resource, ResourceKey

__all__ = ["MemoryStore"]


class MemoryStore:
    """A `Store`; `put`, `set_status` and `remove` are what others do with it."""

    def __init__(self) -> None:
        self._objects: dict[ResourceKey, Resource] = {}
        self._events: list[tuple[ResourceKey, WatchEvent]] = []
        self._versions = count(1)
        self._uids = count(1)
        self._news = asyncio.Event()

    # A Store

    async def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        return self._objects.get(ResourceKey(kind=kind, namespace=namespace, name=name))

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        found = [known for key, known in self._objects.items() if _covers(kind, namespace, key)]
        found.sort(key=lambda known: (known.metadata.namespace, known.metadata.name))
        return Listing(tuple(found), str(len(self._events)))

    async def watch(self, kind: str, namespace: str, since: str) -> AsyncGenerator[WatchEvent, None]:
        position = int(since)
        while True:
            while position < len(self._events):
                key, event = self._events[position]
                position += 1
                if _covers(kind, namespace, key):
                    yield event
            await self._news.wait()

    async def apply(
        self, resource: Resource, *, field_manager: str, force: bool = True, without: Collection[str] = ()
    ) -> Resource:
        old = self._objects.get(resource.key)
        check_preconditions(resource, old and Found(str(old.metadata.uid), str(old.metadata.resource_version)))
        return self.put(resource)

    async def update_status(self, resource: Resource, *, field_manager: str) -> Resource:
        old = self._objects.get(resource.key)
        if old is None:
            raise NotFound(f"{resource.key} does not exist")
        check_preconditions(resource, Found(str(old.metadata.uid), str(old.metadata.resource_version)))
        return self.set_status(resource.key, _part(resource, "status"))

    async def delete(self, kind: str, namespace: str, name: str) -> bool:
        found = self._objects.get(ResourceKey(kind=kind, namespace=namespace, name=name))
        if found is not None:
            self.remove(found)
        return found is not None

    # Other people

    @property
    def objects(self) -> tuple[Resource, ...]:
        """All that is stored."""
        return tuple(self._objects.values())

    def put(self, resource: Resource) -> Resource:
        """Create or replace. Of workloads and Services all is as given, status and generation included."""
        old, given = self._objects.get(resource.key), resource.metadata
        uid = old.metadata.uid if old is not None else given.uid or f"uid-{next(self._uids)}"
        if isinstance(resource, Workload | Service):
            return self._store(old, resource.with_meta(uid=uid))
        if old is None:
            new = resource.model_copy(update={"status": None}).with_meta(generation=1)
        else:
            new = old.model_copy(update={"spec": _part(resource, "spec")})
            changed = _part(old, "spec") != _part(new, "spec")
            new = new.with_meta(generation=(old.metadata.generation or 0) + changed)
        new = new.with_meta(
            uid=uid, labels=given.labels, annotations=given.annotations, owner_references=given.owner_references
        )
        return self._store(old, new)

    def set_status(self, key: ResourceKey, status: Any) -> Resource:
        old = self._objects[key]
        return self._store(old, old.model_copy(update={"status": status}))

    def remove(self, resource: Resource, *, alone: bool = False) -> None:
        """Delete, with what it owns; `alone`: it is only out of sight, as a workload is without its label."""
        gone = self._objects.pop(resource.key)
        version = str(next(self._versions))
        self._tell(WatchEvent("deleted", version, gone.with_meta(resource_version=version)))
        for other in () if alone else list(self._objects.values()):
            if any(owner.uid == gone.metadata.uid for owner in other.metadata.owner_references):
                self.remove(other)

    def _store(self, old: Resource | None, new: Resource) -> Resource:
        if old is not None and new.with_meta(resource_version=old.metadata.resource_version) == old:
            return old
        version = str(next(self._versions))
        stored = self._objects[new.key] = new.with_meta(resource_version=version)
        self._tell(WatchEvent("added" if old is None else "modified", version, stored))
        return stored

    def _tell(self, event: WatchEvent) -> None:
        assert event.resource is not None
        self._events.append((event.resource.key, event))
        waiters, self._news = self._news, asyncio.Event()
        waiters.set()


def _covers(kind: str, namespace: str, key: ResourceKey) -> bool:
    return key.kind == kind and namespace in (ALL_NAMESPACES, key.namespace)


def _part(resource: Resource, name: str) -> Any:
    return getattr(resource, name, None)
