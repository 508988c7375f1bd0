"""The operator's REST API for those who follow: the Channels or ChannelRoutings of a namespace, and changes (SSE).

An addition to Eclipse LMOS, whose runtime asks anew for each conversation; ours keeps a copy, see `remote.py`. Resource
versions are the store's own, so that a follower may go on at another replica. There is no buffer for a follower: one
that does not keep up is told to list again, and one that takes nothing at all is left by the operating system.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from lmos.operator.api import answered, namespace_of, refusal, shown
from lmos.operator.base import ALL_NAMESPACES, ResourceExpired
from lmos.operator.catalog import Catalog, NotWatched
from lmos.operator.feed import Change, Reader
from lmos.resources.base import API_VERSION, Resource
from lmos.resources.channel import Channel
from lmos.resources.kinds import kind_named
from lmos.resources.routing import ChannelRouting

__all__ = ["HEARTBEAT_SECONDS", "watch_routes"]

HEARTBEAT_SECONDS: Final = 15.0
"""A watch says something at least so often: its position where that has moved, else a comment."""

_KINDS: Final = (Channel.KIND, ChannelRouting.KIND)
_BATCH: Final = 100
_AHEAD_BEATS: Final = 8
"""Heartbeats that a follower may be ahead of this replica before its version counts as one of another time."""
_SSE: Final = "text/event-stream"
Json = dict[str, Any]

_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


def watch_routes(catalog: Catalog) -> list[Route]:
    """`GET /apis/v1/channels` and `/apis/v1/channels/watch`, and the same for `channelroutings`."""
    routes: list[Route] = []
    for kind in _KINDS:
        path = f"/apis/v1/{kind_named(kind).plural}"
        routes.append(Route(path, answered(_Listed(catalog, kind).answer), methods=["GET"]))
        routes.append(Route(f"{path}/watch", answered(_Watched(catalog, kind).answer), methods=["GET"]))
    return routes


class _Listed:
    def __init__(self, catalog: Catalog, kind: str) -> None:
        self._catalog = catalog
        self._kind = kind

    async def answer(self, request: Request) -> Response:
        """A Kubernetes list, whose `metadata.resourceVersion` is where a watch begins. Written as it is sent."""
        listing = await self._catalog.list(self._kind, _one(namespace_of(request)))
        head = {
            "apiVersion": API_VERSION,
            "kind": f"{self._kind}List",
            "metadata": {"resourceVersion": listing.resource_version},
        }
        if request.method == "HEAD":
            return Response(media_type="application/json")
        return StreamingResponse(self._body(orjson.dumps(head)[:-1], listing.items), media_type="application/json")

    async def _body(self, head: bytes, items: Sequence[Resource]) -> AsyncGenerator[bytes, None]:
        yield head + b',"items":['
        for start in range(0, len(items), _BATCH):
            comma = b"," if start else b""
            yield comma + b",".join(orjson.dumps(shown(item)) for item in items[start : start + _BATCH])
        yield b"]}"


class _Watched:
    def __init__(self, catalog: Catalog, kind: str) -> None:
        self._catalog = catalog
        self._kind = kind

    async def answer(self, request: Request) -> Response:
        """Changes after the version in `Last-Event-ID` or `since`; without both, first all objects as `added`."""
        since = request.headers.get("last-event-id") or request.query_params.get("since")
        if since is not None and not (since.isascii() and since.isdigit()):
            return refusal(400, f"{since!r} is no resource version; take the one that a list returned")
        namespace = _one(namespace_of(request))
        feed = self._catalog.followed(self._kind, namespace)
        reader = feed.follow(feed.latest if since is None else int(since))
        if request.method == "HEAD":
            return Response(media_type=_SSE, headers=_HEADERS)
        present = () if since is not None else (await self._catalog.list(self._kind, namespace)).items
        return StreamingResponse(_frames(reader, namespace, present), media_type=_SSE, headers=_HEADERS)


async def _frames(reader: Reader, namespace: str, present: Sequence[Resource]) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(present), _BATCH):
        yield b"".join(_frame("added", shown(resource)) for resource in present[start : start + _BATCH])
    told = reader.position
    yield _bookmark(told)
    beats = _Beats()
    while not reader.ended:
        try:
            batch = reader.take(_BATCH)
        except ResourceExpired as fault:
            yield _frame("expired", {"error": str(fault)})
            return
        if frames := [_changed(change) for change in batch if change.resource.metadata.namespace == namespace]:
            told = batch[-1].version
            yield b"".join(frames)
            beats.reset()
        if reader.behind or await beats.moved(reader):
            continue
        if beats.ahead >= _AHEAD_BEATS:
            yield _frame("expired", {"error": f"version {told} is of another time; list again"})
            return
        yield _bookmark(reader.position) if reader.position > told else b": nothing new\n\n"
        told = reader.position


class _Beats:
    """When a watch has been silent for long enough, and how often since its follower was not ahead of this replica."""

    def __init__(self) -> None:
        self.ahead = 0
        self.reset()

    def reset(self) -> None:
        self._next = asyncio.get_running_loop().time() + HEARTBEAT_SECONDS

    async def moved(self, reader: Reader) -> bool:
        """Wait for something to take; false when it is time for a heartbeat."""
        try:
            async with asyncio.timeout_at(self._next):
                await reader.wait()
        except TimeoutError:
            self.ahead = self.ahead + 1 if reader.ahead else 0
            self.reset()
            return False
        return True


def _changed(change: Change) -> bytes:
    """Encoded once for all followers. Of what is deleted, only the metadata are told."""
    if change.frame is None:
        resource = change.resource
        if change.type == "deleted":
            meta = resource.metadata
            gone = {"name": meta.name, "namespace": meta.namespace, "resourceVersion": str(change.version)}
            data = {"apiVersion": API_VERSION, "kind": resource.KIND, "metadata": gone}
        else:
            data = shown(resource)
        change.frame = _frame(change.type, data, change.version)
    return change.frame


def _bookmark(version: int) -> bytes:
    return _frame("bookmark", {"resourceVersion": str(version)}, version)


def _frame(event: str, data: Json, version: int | None = None) -> bytes:
    line = b"" if version is None else b"id: %d\n" % version
    return line + b"event: %s\ndata: %s\n\n" % (event.encode(), orjson.dumps(data))


def _one(namespace: str) -> str:
    if namespace == ALL_NAMESPACES:
        raise NotWatched("name one namespace in the header x-namespace")
    return namespace
