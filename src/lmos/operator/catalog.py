"""`Catalog`: the Channels and ChannelRoutings that a process knows, to be read as from a store, at no request each.

The operator fills one by its informers, the runtime by those that follow the operator; the REST API and the routing
table read it. What was not listed yet is an error, never an empty answer: a false "not found" would be believed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Hashable, Iterable, Mapping
from typing import Any, Final

from lmos.operator.base import ALL_NAMESPACES, Listing, StoreError, WatchEvent
from lmos.operator.cache import Cache, Indexer
from lmos.operator.feed import Feed
from lmos.resources.base import Resource
from lmos.resources.channel import ChannelLabelled

__all__ = ["BY_LABELS", "Catalog", "NotListed", "NotWatched", "by_labels"]

_INDEX: Final = "labels"


class NotListed(StoreError):
    """The kind was not listed yet: try again soon."""


class NotWatched(StoreError):
    """This process knows nothing of the namespace."""


def by_labels(resource: ChannelLabelled) -> Iterable[Hashable]:
    """What a catalog finds objects by: namespace, tenant and channel."""
    if resource.tenant is not None and resource.channel is not None:
        yield resource.metadata.namespace, resource.tenant, resource.channel


BY_LABELS: Final[Mapping[str, Indexer[ChannelLabelled]]] = {_INDEX: by_labels}
"""The index that a catalog's caches need."""


class Catalog:
    """Reads `caches`, which have the index `BY_LABELS`. Whoever fills them tells the feeds, see `feed`."""

    def __init__(self, *caches: Cache[Any]) -> None:
        self._caches = {cache.kind: cache for cache in caches}
        self._feeds: dict[tuple[str, str], Feed] = {}

    def feed(self, kind: str, namespace: str) -> Feed:
        """The feed for the informer of `kind` in `namespace` (or all)."""
        return self._feeds.setdefault((kind, namespace), Feed())

    def close(self) -> None:
        """End all watches: the process stops."""
        for feed in self._feeds.values():
            feed.close()

    def followed(self, kind: str, namespace: str) -> Feed:
        """The feed in which changes of `namespace` are; it may tell of others, too.

        Raises `NotListed`, `NotWatched`, and `StoreError` for a kind that is not here.
        """
        if kind not in self._caches:
            raise StoreError(f"this is no place for {kind!r}; it has {', '.join(sorted(self._caches))}")
        feed = self._feeds.get((kind, namespace)) or self._feeds.get((kind, ALL_NAMESPACES))
        if feed is None:
            watched = ", ".join(sorted(scope for known, scope in self._feeds if known == kind)) or "none"
            raise NotWatched(f"namespace {namespace!r} is not watched here; watched: {watched}")
        if not feed.ready:
            raise NotListed(f"{kind} objects were not listed yet; try again soon")
        return feed

    async def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        """The object, or `None`. Raises as `followed`."""
        self.followed(kind, namespace)
        return self._caches[kind].get((namespace, name))

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        """As `Store.list`. Raises as `followed`."""
        feed = self.followed(kind, namespace)
        wanted = dict(selector or {})
        found = [
            resource
            for resource in self._candidates(self._caches[kind], namespace, wanted)
            if wanted.items() <= resource.metadata.labels.items()
        ]
        found.sort(key=lambda resource: (resource.metadata.namespace, resource.metadata.name))
        return Listing(tuple(found), str(feed.latest))

    async def watch(self, kind: str, namespace: str, since: str) -> AsyncGenerator[WatchEvent, None]:
        """As `Store.watch`; ends when the process stops. Raises as `followed`, too."""
        reader = self.followed(kind, namespace).follow(int(since))
        while not reader.ended:
            for change in reader.take():
                if namespace in (ALL_NAMESPACES, change.resource.metadata.namespace):
                    yield WatchEvent(change.type, str(change.version), change.resource)
            yield WatchEvent("bookmark", str(reader.position))
            await reader.wait()

    def _candidates(self, cache: Cache[Any], namespace: str, labels: Mapping[str, str]) -> Iterable[Resource]:
        """At least the objects of `namespace` that have `labels`."""
        if namespace != ALL_NAMESPACES and "tenant" in labels and "channel" in labels:
            return cache.by_index(_INDEX, (namespace, labels["tenant"], labels["channel"]))
        return (resource for name in cache.names(namespace) if (resource := cache.get(name)) is not None)
