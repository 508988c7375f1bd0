"""Lists of one kind: as a stream where the server can do that, else in chunks. Never ten thousand objects in one body.

A streaming list is a watch that begins with the objects there are, and says when it has told all. `KubernetesStore`
keeps one `Lister`, which remembers what the server can do.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final, cast

from lmos.operator.base import Listing, ResourceExpired
from lmos.operator.kubernetes.client import Client, Json
from lmos.operator.kubernetes.errors import Forbidden, Invalid
from lmos.operator.kubernetes.kinds import ApiResource
from lmos.operator.kubernetes.reading import Reader
from lmos.operator.kubernetes.transport import TransportError
from lmos.operator.kubernetes.watching import OPENED, read_events
from lmos.resources.base import Resource

__all__ = ["Lister"]

_STREAM: Final = {
    "watch": "true",
    "sendInitialEvents": "true",
    "resourceVersionMatch": "NotOlderThan",
    "allowWatchBookmarks": "true",
}
_ALL_TOLD: Final = "k8s.io/initial-events-end"
_CHUNK: Final = 500
_STARTS: Final = 3
"""A list in chunks begins again when its continue token has expired in between, so often at most."""


class Lister:
    """Lists from one server. `stall` is how long a stream may be silent, in seconds."""

    def __init__(self, client: Client, reader: Reader, *, stall: float) -> None:
        self._client = client
        self._reader = reader
        self._stall = stall
        self._streams = True

    async def list(self, resource: ApiResource, namespace: str, query: Mapping[str, str]) -> Listing:
        """Objects by namespace and name that match `query` (selectors); unreadable ones are left out."""
        path = resource.path(namespace)
        if self._streams:
            try:
                return await self._streamed(resource, path, query)
            except Invalid as fault:
                if not any(word in str(fault) for word in _STREAM):
                    raise
                self._streams = False  # an older server, or one told not to
            except Forbidden:
                pass  # of the verb `watch`, which a stream needs; `list` may be allowed
        for _ in range(_STARTS - 1):
            try:
                return await self._chunked(resource, path, query)
            except ResourceExpired:
                continue
        return await self._chunked(resource, path, query)

    async def _streamed(self, resource: ApiResource, path: str, query: Mapping[str, str]) -> Listing:
        found: list[Resource] = []
        async with aclosing(read_events(self._client, path, {**query, **_STREAM}, stall=self._stall)) as events:
            async for change, raw in events:
                if change == OPENED:
                    continue
                if change != "BOOKMARK":
                    self._take(resource, raw, found)
                elif _ALL_TOLD in raw["metadata"].get("annotations", ()):
                    return _listing(found, raw["metadata"]["resourceVersion"])
        raise TransportError(f"the list of {resource.full_name} ended before all was told; try again")

    async def _chunked(self, resource: ApiResource, path: str, query: Mapping[str, str]) -> Listing:
        found: list[Resource] = []
        page: dict[str, str] = {**query, "limit": str(_CHUNK)}
        while True:
            body = await self._client.get(path, query=page)
            for raw in cast("list[Json]", body.get("items") or ()):
                self._take(resource, raw, found)
            meta: dict[str, Any] = body["metadata"]
            if not meta.get("continue"):
                return _listing(found, meta["resourceVersion"])
            page["continue"] = meta["continue"]

    def _take(self, resource: ApiResource, raw: Json, found: list[Resource]) -> None:
        read = self._reader.read_if_possible(resource, raw)
        if read is not None:
            found.append(read)


def _listing(found: list[Resource], version: str) -> Listing:
    found.sort(key=lambda resource: (resource.metadata.namespace, resource.metadata.name))
    return Listing(tuple(found), version)
