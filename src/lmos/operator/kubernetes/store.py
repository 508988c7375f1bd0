"""`KubernetesStore`: resources in a Kubernetes API server.

The operator, the CLI and the runtime use it as any other `Store`. It lists by `listing.py`, watches by `watching.py`,
reads objects by `reading.py` and writes them by `writing.py`, where it says what Kubernetes does otherwise.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from random import random
from typing import Final, Literal

from lmos.operator import metrics
from lmos.operator.base import Listing, NotFound, StoreError, WatchEvent
from lmos.operator.kubernetes.client import Client, Json
from lmos.operator.kubernetes.kinds import ApiResource, api_resource
from lmos.operator.kubernetes.listing import Lister
from lmos.operator.kubernetes.reading import OnUnreadable, Reader, remains_of
from lmos.operator.kubernetes.watching import OPENED, Silent, read_events
from lmos.operator.kubernetes.writing import Writer
from lmos.resources.base import Resource

__all__ = ["STALL_SECONDS", "KubernetesStore"]

STALL_SECONDS: Final = 75.0
"""A watch that says nothing for so long may be dead, for servers send bookmarks each minute: it is begun again.

They send none of a kind that nobody has written since they started, so that this is no fault.
"""

_WATCH_SECONDS: Final = 300
"""After this, and up to as much again by chance, the server ends a watch: all watches at once would be a storm."""
_STANDING: Final = 1.0
"""A watch that the server ends sooner is not begun again here, but by whoever watches, in their own time."""
# Nothing that would be read as another selector.
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_LABEL_VALUE: Final = re.compile(r"[A-Za-z0-9._-]*")
_CHANGES: Final[dict[str, Literal["added", "modified", "deleted"]]] = {
    "ADDED": "added",
    "MODIFIED": "modified",
    "DELETED": "deleted",
}


class KubernetesStore:
    """A `Store` over `client`, which the caller closes. Use it from one event loop.

    `stall` is how long a watch may be silent, in seconds; `jitter` gives numbers from 0 to 1. Objects that cannot be
    read count as absent; `on_unreadable` gets them, by default they are logged once.
    """

    def __init__(
        self,
        client: Client,
        *,
        stall: float = STALL_SECONDS,
        jitter: Callable[[], float] = random,
        on_unreadable: OnUnreadable | None = None,
    ) -> None:
        self.client = client
        self._stall = stall
        self._jitter = jitter
        self._reader = Reader(on_unreadable)
        self._lister = Lister(client, self._reader, stall=stall)
        self._writer = Writer(client, jitter)

    async def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        """The object, or `None`. Raises `Unreadable`."""
        resource = api_resource(kind)
        try:
            raw = await self.client.get(resource.path(namespace, name))
        except NotFound:
            return None
        return self._reader.read(resource, raw)

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        """Objects by namespace and name; those that cannot be read are left out."""
        resource = api_resource(kind)
        return await self._lister.list(resource, namespace, _selecting({**(selector or {}), **resource.selector}))

    async def watch(self, kind: str, namespace: str, since: str) -> AsyncGenerator[WatchEvent, None]:
        """Changes after `since`. An object that can no longer be read is told as deleted, with its name alone.

        Goes on when the server ends the watch in an orderly way or falls silent; ends only when it ends it at once.
        """
        resource, position = api_resource(kind), _version(since)
        path, loop, reason = resource.path(namespace), asyncio.get_running_loop(), ""
        while True:
            began = loop.time()
            query = {
                **_selecting(resource.selector),
                "watch": "true",
                "allowWatchBookmarks": "true",
                "resourceVersion": position,
                "timeoutSeconds": str(int(_WATCH_SECONDS * (1 + self._jitter()))),
            }
            was_silent, reason = reason == metrics.WATCH_SILENT, metrics.WATCH_ENDED
            try:
                async with aclosing(read_events(self.client, path, query, stall=self._stall)) as events:
                    async for change, raw in events:
                        if change == OPENED:
                            if was_silent:  # the server lives, and has nothing new
                                yield WatchEvent("bookmark", position)
                            continue
                        event = self._event(resource, change, raw)
                        position = event.resource_version
                        yield event
            except Silent:
                reason = metrics.WATCH_SILENT
            if loop.time() - began < _STANDING:
                return
            metrics.WATCH_RESTARTS.labels(resource.kind, reason).inc()

    async def apply(
        self, resource: Resource, *, field_manager: str, force: bool = True, without: Collection[str] = ()
    ) -> Resource:
        """Create or replace by server-side apply; `metadata.uid` makes the call conditional, too.

        With `force`, fields of the spec that others have set and `resource` lacks are removed; without, they stay.
        Raises `FieldConflict` when a field has another owner, `Terminating` when the namespace is being deleted.
        """
        known = _ours(resource)
        raw = await self._writer.write(
            known, resource, "spec", field_manager=field_manager, force=force, without=without
        )
        return self._reader.read_written(known, raw)

    async def update_status(self, resource: Resource, *, field_manager: str) -> Resource:
        """Write only `status`; afterwards it is what was written, whoever has written to it before."""
        known = _ours(resource)
        if not known.has_status:
            raise StoreError(f"{resource.key}: {known.kind} has no status; apply it instead")
        raw = await self._writer.write(known, resource, "status", field_manager=field_manager, force=True)
        return self._reader.read_written(known, raw)

    async def delete(self, kind: str, namespace: str, name: str) -> bool:
        """Remove the object; the garbage collector follows with what it owns."""
        try:
            await self.client.delete(api_resource(kind).path(namespace, name))
        except NotFound:
            return False
        return True

    def _event(self, resource: ApiResource, change: str, raw: Json) -> WatchEvent:
        version: str = raw["metadata"]["resourceVersion"]
        if change == "BOOKMARK":
            return WatchEvent("bookmark", version)
        found = self._reader.read_if_possible(resource, raw)
        if found is None:
            return WatchEvent("deleted", version, remains_of(resource, raw))
        return WatchEvent(_CHANGES[change], version, found)


def _ours(resource: Resource) -> ApiResource:
    known = api_resource(resource.KIND)
    if not known.writable:
        raise StoreError(f"{resource.key} is not ours to write: {known.full_name} is only read")
    return known


def _selecting(labels: Mapping[str, str]) -> dict[str, str]:
    for name, value in labels.items():
        if not (_LABEL.fullmatch(name) and _LABEL_VALUE.fullmatch(value)):
            raise StoreError(f"{name}={value} cannot be the label of any object; correct the selector")
    return {"labelSelector": ",".join(f"{name}={value}" for name, value in labels.items())} if labels else {}


def _version(since: str) -> str:
    if not (since.isascii() and since.isdigit()):
        raise StoreError(f"resource version {since!r} is none of this store; take the one that list returned")
    return since
