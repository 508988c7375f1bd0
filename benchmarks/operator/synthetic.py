"""A `Transport` to no server: an endless stream of changes to a fixed set of objects, as fast as they are taken.

The soak's operator runs on it. It answers what `KubernetesStore` asks: streaming lists, watches, server-side apply. It
keeps the newest state of each object and nothing else, so that what grows is the operator.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson

from benchmarks.operator import objects
from benchmarks.operator.objects import AGENTS, CHANNELS, Object
from lmos.operator.kubernetes.transport import Answer, Stream

__all__ = ["NAMESPACE", "Synthetic"]

NAMESPACE = "soak"
_HOUSEKEEPING = 10
"""Of so many changes one alters a spec; the others touch an annotation, as other programs do."""


class _Kind:
    """The objects of one kind, and the changes that are not told yet."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.untold: deque[bytes] = deque()
        self.changed = asyncio.Event()

    def tell(self, change: str, thing: Object) -> None:
        self.untold.append(orjson.dumps({"type": change, "object": thing}))
        self.changed.set()


class Synthetic:
    """`told` events so far; after `limit` of them nothing changes any more by itself, and `finished` is set."""

    def __init__(self, count: int, limit: int) -> None:
        self.told = 0
        self.finished = asyncio.Event()
        self._limit = limit
        self._version = 1000
        self._steps = 0
        self._kinds: dict[str, _Kind] = {}
        for number in range(count):
            self._store(AGENTS, objects.agent(number, NAMESPACE))
            self._store(CHANNELS, objects.channel(number, NAMESPACE, of_agent=number))

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        """Server-side apply of a whole object or its status."""
        assert method == "PATCH", f"{method} {path} is not foreseen"
        await asyncio.sleep(0)
        plural, name, status = _parts(path)
        wanted: Object = orjson.loads(body or b"")
        kind = self._kind(plural)
        known = kind.objects.get(name)
        if known is None:
            thing = self._store(plural, wanted)
        else:
            part = "status" if status else "spec"
            thing = self._store(plural, known | {part: wanted[part]}, touched=not status)
        kind.tell("ADDED" if known is None else "MODIFIED", thing)
        return Answer(200, orjson.dumps(thing))

    @asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str] | None = None) -> AsyncGenerator[Stream]:
        plural, _, _ = _parts(path)
        listing = "sendInitialEvents" in (query or {})
        yield Stream(200, self._listed(plural) if listing else self._changes(plural))

    async def aclose(self) -> None:
        pass

    async def _listed(self, plural: str) -> AsyncIterator[bytes]:
        for thing in self._kind(plural).objects.values():
            yield orjson.dumps({"type": "ADDED", "object": thing})
        mark = {"annotations": {"k8s.io/initial-events-end": "true"}, "resourceVersion": str(self._version)}
        yield orjson.dumps({"type": "BOOKMARK", "object": {"metadata": mark}})

    async def _changes(self, plural: str) -> AsyncIterator[bytes]:
        kind = self._kind(plural)
        while True:
            while kind.untold:
                self.told += 1
                yield kind.untold.popleft()
            if plural in (AGENTS, CHANNELS) and self.told < self._limit:
                self._step(plural)
                await asyncio.sleep(0)
                continue
            if self.told >= self._limit:
                self.finished.set()
            kind.changed.clear()
            await kind.changed.wait()

    def _step(self, plural: str) -> None:
        """Somebody changes an object."""
        kind = self._kind(plural)
        self._steps += 1
        number = self._steps // 2 % (len(kind.objects))
        if self._steps // 2 % _HOUSEKEEPING:
            name = objects.agent_name(number) if plural == AGENTS else objects.channel_name(number)
            thing = kind.objects[name]
            thing["metadata"]["annotations"] = {"touched": str(self._steps)}
            kind.tell("MODIFIED", self._store(plural, thing, touched=False))
        elif plural == AGENTS:
            kind.tell("MODIFIED", self._store(plural, objects.agent(number, NAMESPACE, patch=self._steps)))
        else:
            changed = objects.channel(number, NAMESPACE, of_agent=number, touched=str(self._steps))
            kind.tell("MODIFIED", self._store(plural, changed))

    def _store(self, plural: str, thing: Object, *, touched: bool = True) -> Object:
        kind = self._kind(plural)
        name = thing["metadata"]["name"]
        before: Object = kind.objects.get(name, {})
        self._version += 1
        meta: dict[str, Any] = {
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "uid": f"{plural}-{name}",
            **before.get("metadata", {}),
            **thing["metadata"],
            "resourceVersion": str(self._version),
        }
        meta["generation"] = meta.get("generation", 0) + touched
        stored = {**thing, "metadata": meta}
        if "status" in before and "status" not in thing:
            stored["status"] = before["status"]
        kind.objects[name] = stored
        return stored

    def _kind(self, plural: str) -> _Kind:
        return self._kinds.setdefault(plural, _Kind())


def _parts(path: str) -> tuple[str, str, bool]:
    """Plural, name (or nothing), and whether it is about the status, of `/apis/GROUP/VERSION/namespaces/NS/...`."""
    plural, *rest = path.split("/")[6:]
    return plural, rest[0] if rest else "", rest[1:] == ["status"]
