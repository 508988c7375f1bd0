"""Objects of one kind, kept up to date by list and watch, with indices: what reconcilers read instead of the store.

`Cache` holds the objects; `Informer` feeds one namespace (or all) of it from a `Store` and reports each change. After a
gap that the watch cannot bridge (`ResourceExpired`) the informer lists again and reports what vanished in between: a
cache that keeps deleted agents would send customers to them. Neither knows what the objects mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Final, Generic, TypeVar

from prometheus_client import Gauge

from lmos.operator import metrics, reasons
from lmos.operator.base import ALL_NAMESPACES, ResourceExpired, Source, StoreError, WatchEvent
from lmos.operator.feed import Feed
from lmos.operator.queue import BASE_DELAY
from lmos.resources.base import Resource
from lmos.telemetry.logs import logger

__all__ = ["Cache", "Indexer", "Informer", "Name"]

R = TypeVar("R", bound=Resource)

Name = tuple[str, str]
"""Namespace and name of an object of a known kind."""

Indexer = Callable[[R], Iterable[Hashable]]
"""The values under which an object is found in one index."""

_Names = Name | dict[Name, None]
"""Under one value of an index, in order. Mostly there is one: then no dictionary, which would be a quarter of a KB."""

_REMEMBERED: Final = 1000
"""Deletions of a kind: more than happen while an event is late."""
_MAX_DELAY: Final = 30.0
_STANDING: Final = 1.0


class Cache(Generic[R]):
    """Objects by namespace and name, and by the values of each index.

    Resource versions are compared as numbers, as Kubernetes allows for one kind: an older object never replaces a newer
    one, and does not come back after its deletion, whatever the order in which lists, watches and our own writes report
    them. `size` shows how many objects there are; it belongs to this cache alone.
    """

    def __init__(
        self, model: type[R], indices: Mapping[str, Indexer[R]] | None = None, *, size: Gauge | None = None
    ) -> None:
        self._model = model
        self._indexers = dict(indices or {})
        self._objects: dict[Name, R] = {}
        self._indices: dict[str, dict[Hashable, _Names]] = {index: {} for index in self._indexers}
        self._reached: dict[str, int] = {}
        self._gone: dict[Name, int] = {}
        """The versions at which objects were deleted, as long as somebody may report these objects late."""
        self._size = size
        self._show_size()

    @property
    def kind(self) -> str:
        return self._model.KIND

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, name: Name) -> R | None:
        return self._objects.get(name)

    def by_index(self, index: str, value: Hashable) -> tuple[R, ...]:
        """The objects that `index` files under `value`; raises `KeyError` for an unknown index."""
        names = self._indices[index].get(value, {})
        return tuple(self._objects[name] for name in (names if isinstance(names, dict) else (names,)))

    def names(self, namespace: str = ALL_NAMESPACES) -> tuple[Name, ...]:
        """The names of all objects in `namespace`."""
        return tuple(name for name in self._objects if namespace in (ALL_NAMESPACES, name[0]))

    def put(self, resource: Resource) -> tuple[R | None, R] | None:
        """Take over `resource` unless an equally new or newer one is known; the old and the new object if taken.

        Raises `TypeError` for an object of another kind.
        """
        if not isinstance(resource, self._model):
            raise TypeError(f"a cache of {self.kind} objects cannot hold {resource.key}")
        name = _name_of(resource)
        old = self._objects.get(name)
        known = version_of(old) if old is not None else self._gone.get(name, -1)
        if known >= version_of(resource):
            return None
        self._gone.pop(name, None)
        new = resource.with_meta(managed_fields=()) if resource.metadata.managed_fields else resource
        self._objects[name] = new
        self._show_size()
        self._file(name, old, new)
        return old, new

    def remove(self, name: Name, version: int) -> R | None:
        """Forget the object unless it is newer than `version` (it was created again); the removed object if any."""
        old = self._objects.get(name)
        if old is not None and version_of(old) > version:
            return None
        self._bury(name, version)
        if old is None:
            return None
        self._file(name, old, None)
        del self._objects[name]
        self._show_size()
        return old

    def record(self, written: Resource) -> None:
        """Take over the answer of our own write before the watch tells it, so that the next reconcile sees it.

        An object that the watch has already passed by is left out: it may have been deleted since.
        """
        name = _name_of(written)
        if name in self._objects or version_of(written) > self.reached(name[0]):
            self.put(written)

    def reach(self, namespace: str, version: int) -> None:
        """Note that everything in `namespace` (or all) up to `version` is known."""
        self._reached[namespace] = max(version, self._reached.get(namespace, 0))

    def reached(self, namespace: str) -> int:
        """The version up to which everything in `namespace` is known."""
        return max(self._reached.get(namespace, 0), self._reached.get(ALL_NAMESPACES, 0))

    def holds(self, name: Name, *, up_to: int) -> bool:
        """Whether the object is known in a version that is not newer than `up_to`."""
        resource = self._objects.get(name)
        return resource is not None and version_of(resource) <= up_to

    def _bury(self, name: Name, version: int) -> None:
        self._gone[name] = max(version, self._gone.pop(name, 0))
        if len(self._gone) > _REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def _show_size(self) -> None:
        if self._size is not None:
            self._size.set(len(self._objects))

    def _file(self, name: Name, old: R | None, new: R | None) -> None:
        for index, indexer in self._indexers.items():
            before = set(indexer(old)) if old is not None else set[Hashable]()
            after = set(indexer(new)) if new is not None else set[Hashable]()
            for value in before - after:
                _unfile(self._indices[index], value, name)
            for value in after - before:
                _file(self._indices[index], value, name)


class Informer(Generic[R]):
    """Keeps `cache` equal to one namespace (or all) of `store` and calls `on_change(old, new)` for each difference.

    `synced` is set after the first list; `connected` is false from a fault of the store until it answers again, and
    `fault` is that fault. Attempts are at most `max_delay` seconds apart. `feed` is told what the store tells, whoever
    has known it before.
    """

    def __init__(
        self,
        store: Source,
        cache: Cache[R],
        namespace: str,
        on_change: Callable[[R | None, R | None], None],
        *,
        feed: Feed | None = None,
        max_delay: float = _MAX_DELAY,
    ) -> None:
        self._store = store
        self._cache = cache
        self._namespace = namespace
        self._on_change = on_change
        self._feed = feed
        self._max_delay = max_delay
        self._since: str | None = None
        self._delay = BASE_DELAY
        self._progress: asyncio.Event | None = None
        self.synced = asyncio.Event()
        self.connected = False
        self.fault: StoreError | None = None
        self._time: Callable[[], float] = float  # no time passes before it runs
        self._told_at = self._tried_at = 0.0
        self._log = logger("operator").bind(kind=cache.kind, namespace=namespace)

    @property
    def kind(self) -> str:
        return self._cache.kind

    @property
    def namespace(self) -> str:
        return self._namespace

    @property
    def silence(self) -> float:
        """Seconds since the store told anything: a list, a change, or that there was none."""
        return self._time() - self._told_at

    @property
    def idle(self) -> float:
        """Seconds since the store told anything, or failed to: when it grows, list and watch hang."""
        return self._time() - max(self._told_at, self._tried_at)

    async def run(self) -> None:
        """List, then watch for ever. Faults of the store are logged and retried with growing delays."""
        self._time = asyncio.get_running_loop().time
        self._told_at = self._tried_at = self._time()
        while True:
            reason = metrics.WATCH_ENDED
            try:
                if self._since is None:
                    self._since = await self._list()
                await self._watch(self._since)
            except ResourceExpired as fault:
                reason, self._since = metrics.WATCH_EXPIRED, None
                self._log.warning(reasons.EVENT_WATCH_EXPIRED, error=str(fault))
            except StoreError as fault:
                if str(fault) != str(self.fault):  # once for each reason, however long it lasts
                    self._log.warning(reasons.EVENT_WATCH_FAILED, error=str(fault), delay=self._delay)
                reason, self.connected, self.fault = metrics.WATCH_FAULT, False, fault
            metrics.WATCH_RESTARTS.labels(self._cache.kind, reason).inc()
            self._tried_at = self._time()
            # Also after an orderly end: a store whose watches end at once must not make us spin.
            await asyncio.sleep(self._delay)
            self._delay = min(2 * self._delay, self._max_delay)

    async def caught_up(self, names: Collection[Name] | None = None) -> None:
        """Wait until the cache has seen what the store holds now, of `names` or of all. Raises `StoreError`."""
        listing = await self._store.list(self._cache.kind, self._namespace)
        listed = {_name_of(resource): version_of(resource) for resource in listing.items}
        await self.synced.wait()
        # A watch tells changes in order: being past the newest listed object means knowing them all.
        target = max((version for name, version in listed.items() if names is None or name in names), default=0)
        while self._cache.reached(self._namespace) < target:
            await self._progressed()
        gone = [name for name in self._cache.names(self._namespace) if name not in listed]
        if names is not None:
            gone = [name for name in gone if name in names]
        while any(self._cache.holds(name, up_to=int(listing.resource_version)) for name in gone):
            await self._progressed()

    async def _list(self) -> str:
        listing = await self._store.list(self._cache.kind, self._namespace)
        self._answered()
        listed = {_name_of(resource) for resource in listing.items}
        for resource in listing.items:
            self._put(resource)
        vanished = [name for name in self._cache.names(self._namespace) if name not in listed]
        for name in vanished:
            self._remove(name, int(listing.resource_version))
        self._reach(listing.resource_version)
        if self._feed is not None:
            self._feed.listed(listing, vanished=bool(vanished))
        self.synced.set()
        return listing.resource_version

    async def _watch(self, since: str) -> None:
        # A watch without news says nothing, not even that it began: one that stands for a while counts as working.
        standing = asyncio.get_running_loop().call_later(_STANDING, self._works)
        try:
            async for event in self._store.watch(self._cache.kind, self._namespace, since):
                self._works()
                news = self._take(event)
                self._since = event.resource_version
                self._reach(event.resource_version)
                if self._feed is not None:
                    self._feed.told(event, news=news)
        finally:
            standing.cancel()

    def _works(self) -> None:
        self._answered()
        self._delay = BASE_DELAY

    def _answered(self) -> None:
        self.connected, self.fault = True, None
        self._told_at = self._time()

    def _take(self, event: WatchEvent) -> bool:
        """Whether the event changed what was known."""
        if event.resource is None:
            return False
        if event.type == "deleted":
            return self._remove(_name_of(event.resource), int(event.resource_version))
        return self._put(event.resource)

    def _put(self, resource: Resource) -> bool:
        taken = self._cache.put(resource)
        if taken is not None:
            self._on_change(*taken)
        return taken is not None

    def _remove(self, name: Name, version: int) -> bool:
        gone = self._cache.remove(name, version)
        if gone is not None:
            self._on_change(gone, None)
        return gone is not None

    def _reach(self, version: str) -> None:
        self._cache.reach(self._namespace, int(version))
        if self._progress is not None:  # mostly nobody waits
            self._progress.set()
            self._progress = None

    async def _progressed(self) -> None:
        if self._progress is None:
            self._progress = asyncio.Event()
        await self._progress.wait()


def _file(filed: dict[Hashable, _Names], value: Hashable, name: Name) -> None:
    names = filed.get(value)
    if names is None:
        filed[value] = name
    elif isinstance(names, dict):
        names[name] = None
    elif names != name:
        filed[value] = dict.fromkeys((names, name))


def _unfile(filed: dict[Hashable, _Names], value: Hashable, name: Name) -> None:
    names = filed.get(value)
    if isinstance(names, dict):
        names.pop(name, None)
    if not names or names == name:
        filed.pop(value, None)


def version_of(resource: Resource) -> int:
    """The resource version as a number; 0 for an object that no store has written."""
    return int(resource.metadata.resource_version or 0)


def _name_of(resource: Resource) -> Name:
    return resource.metadata.namespace, resource.metadata.name
