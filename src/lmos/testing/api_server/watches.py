"""The lines of a watch: what there is, where that was asked for, and then each change as it comes.

`ApiServer` opens them. A watch ends in an orderly way after its time, and when its resource is served no more; it
breaks when the server stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import orjson

from lmos.operator.kubernetes.transport import TransportError
from lmos.testing.api_server.answers import Json, status
from lmos.testing.api_server.selectors import Selector
from lmos.testing.api_server.served import Served
from lmos.testing.api_server.storage import Change, Collection, Storage

__all__ = ["Wanted", "selected", "watch"]

INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
_BEFORE_END: Final = 2.0
"""Seconds before the end of a watch in which it tells once more how far it is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a watch is to tell. `since` is `None` for one that begins with what there is; an empty namespace is all."""

    served: Served
    collection: Collection
    namespace: str
    selector: Selector
    since: int | None
    bookmarks: bool
    says_all_told: bool
    seconds: float


def selected(wanted: Wanted) -> list[Json]:
    """The objects by namespace and name."""
    found = wanted.collection.objects.items()
    return [
        item
        for key, item in sorted(found, key=lambda pair: (pair[0].namespace, pair[0].name))
        if wanted.namespace in ("", key.namespace) and wanted.selector(item["metadata"].get("labels", {}))
    ]


async def watch(
    storage: Storage, wanted: Wanted, bookmark_seconds: float, alive: Callable[[], bool]
) -> AsyncGenerator[bytes]:
    """Lines, until the end. Raises `TransportError` when the server is not `alive` any more."""
    loop = asyncio.get_running_loop()
    oldest = max(storage.compacted, wanted.collection.began)
    if wanted.since is not None and wanted.since < oldest:
        said = f"too old resource version: {wanted.since} ({oldest})"
        yield _line("ERROR", orjson.dumps(status(410, said, "Expired")))
        return
    deadline = loop.time() + wanted.seconds
    bookmark_at = loop.time() + min(bookmark_seconds, max(wanted.seconds - _BEFORE_END, 0.0))
    since = storage.version if wanted.since is None else wanted.since
    for line in _beginning(wanted, since):
        yield line
    while True:
        news = wanted.collection.news
        for change in _after(wanted.collection, since):
            since = change.version
            if (line := _told(wanted, change)) is not None:
                yield line
        if not alive():
            raise TransportError("the API server has stopped")
        if not wanted.collection.open or loop.time() >= deadline:
            return
        if loop.time() >= bookmark_at:
            bookmark_at += bookmark_seconds
            # As the real one: of what nobody has written since it started, it does not know how far it is.
            if wanted.bookmarks and wanted.collection.written:
                since = storage.version
                yield _bookmark(wanted.served, since, {})
                continue
        with suppress(TimeoutError):
            async with asyncio.timeout_at(min(deadline, bookmark_at)):
                await news.wait()


def _beginning(wanted: Wanted, version: int) -> Iterator[bytes]:
    """What there is at `version`, which is now, if the watch is to begin with that."""
    if wanted.since is None:
        for item in selected(wanted):
            yield _line("ADDED", orjson.dumps(item))
        if wanted.says_all_told:
            yield _bookmark(wanted.served, version, {"annotations": {INITIAL_EVENTS_END: "true"}})


def _after(collection: Collection, since: int) -> Iterator[Change]:
    position = collection.after(since)
    while position < len(collection.changes):
        yield collection.changes[position]
        position += 1


def _told(wanted: Wanted, change: Change) -> bytes | None:
    """What the watch tells of the change: one who selects sees objects come and go as they are labelled."""
    meta = change.found["metadata"]
    if wanted.namespace not in ("", meta.get("namespace", "")):
        return None
    was = change.before is not None and wanted.selector(change.before["metadata"].get("labels", {}))
    remains = change.type != "DELETED" and wanted.selector(meta.get("labels", {}))
    if remains:
        return _line("MODIFIED" if was else "ADDED", change.text)
    if not was:
        return None
    if change.type == "DELETED" or change.before is None:
        return _line("DELETED", change.text)
    last = change.before | {"metadata": change.before["metadata"] | {"resourceVersion": meta["resourceVersion"]}}
    return _line("DELETED", orjson.dumps(last))


def _bookmark(served: Served, version: int, meta: Json) -> bytes:
    found = {
        "apiVersion": served.api_version,
        "kind": served.kind,
        "metadata": {"resourceVersion": str(version), **meta},
    }
    return _line("BOOKMARK", orjson.dumps(found))


def _line(change: str, found: bytes) -> bytes:
    return b'{"type":"%b","object":%b}' % (change.encode(), found)
