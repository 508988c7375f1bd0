"""Objects and the changes that led to them, under one counter of versions, as etcd keeps them.

Everything in the simulated API server reads and writes here. It knows neither requests nor what objects mean. What is
stored is never changed again, only replaced.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from lmos.testing.api_server.served import Served

__all__ = ["Change", "ChangeType", "Json", "Key", "Storage"]

Json = dict[str, Any]
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]

_FIRST: Final = 1000
"""An API server has written much before anybody asks it."""
_NAMESPACES: Final = "namespaces"


@dataclass(frozen=True, slots=True)
class Key:
    """What names an object of a known resource; the namespace is empty for those that are in none."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one object: `found` is its state after it, or the last one; `before` the one that it replaced."""

    version: int
    type: ChangeType
    found: Json
    before: Json | None
    text: bytes
    """`found` as JSON."""


class Collection:
    """All objects of one resource, and their changes."""

    def __init__(self, began: int) -> None:
        self.began = began
        """The version at which it was first served: nothing of before can be told."""
        self.objects: dict[Key, Json] = {}
        self.changes: list[Change] = []
        self.news = asyncio.Event()
        self.open = True
        """False once the resource is served no more; who watches it then comes to an end."""
        self.written = False
        """Whether any object was written since the server started."""

    def after(self, version: int) -> int:
        """The index of the first change after `version`."""
        return bisect_right(self.changes, version, key=lambda change: change.version)

    def wake(self) -> None:
        """Let all that wait for `news` look."""
        waiters, self.news = self.news, asyncio.Event()
        waiters.set()


class Storage:
    """Every collection, by plural and group. `version` is that of the newest change."""

    def __init__(self) -> None:
        self.version = _FIRST
        self.compacted = 0
        """A watch may begin at this version or later."""
        self._served: dict[str, Served] = {}
        self._collections: dict[str, Collection] = {}
        self.uids: dict[str, Key] = {}
        """Of all objects that there are."""

    def add(self, served: Served) -> None:
        """Serve a resource, empty at first."""
        if served.resource not in self._collections:
            self._served[served.resource] = served
            self._collections[served.resource] = Collection(self.version)

    def drop(self, served: Served) -> None:
        """Remove all objects of a resource, and serve it no more."""
        collection = self._collections.pop(served.resource, None)
        if collection is not None:
            del self._served[served.resource]
            for key in list(collection.objects):
                self._delete(served, collection, key)
            collection.open = False
            collection.wake()

    def served(self) -> Iterator[tuple[Served, Collection]]:
        """All that is served."""
        return ((served, self._collections[name]) for name, served in self._served.items())

    def find(self, root: str, plural: str) -> tuple[Served, Collection] | None:
        """The resource of this plural below `root`, if it is served."""
        return next((found for found in self.served() if (found[0].root, found[0].plural) == (root, plural)), None)

    def named(self, plural: str) -> tuple[Served, Collection]:
        """The resource of this plural. Raises `LookupError` when it is not served."""
        found = next((found for found in self.served() if found[0].plural == plural), None)
        if found is None:
            raise LookupError(f"{plural!r} are not served")
        return found

    def namespace(self, name: str) -> Json | None:
        """The object that is a namespace."""
        return self._collections[_NAMESPACES].objects.get(Key("", name))

    def put(self, served: Served, key: Key, found: Json) -> Json:
        """Store under the next version; what is stored."""
        collection = self._collections[served.resource]
        before = collection.objects.get(key)
        self.version += 1
        stored = found | {"metadata": found["metadata"] | {"resourceVersion": str(self.version)}}
        collection.objects[key] = stored
        self.uids[stored["metadata"]["uid"]] = key
        self._log(collection, "ADDED" if before is None else "MODIFIED", stored, before)
        return stored

    def delete(self, served: Served, key: Key) -> None:
        """Remove the object, which must be there."""
        self._delete(served, self._collections[served.resource], key)

    def _delete(self, served: Served, collection: Collection, key: Key) -> None:
        before = collection.objects.pop(key)
        self.uids.pop(before["metadata"]["uid"], None)
        self.version += 1
        last = before | {"metadata": before["metadata"] | {"resourceVersion": str(self.version)}}
        self._log(collection, "DELETED", last, before)

    def compact(self) -> None:
        """Nobody may begin to watch from before now; who watches already goes on."""
        self.compacted = self.version

    def _log(self, collection: Collection, change: ChangeType, found: Json, before: Json | None) -> None:
        collection.changes.append(Change(self.version, change, found, before, orjson.dumps(found)))
        collection.written = True
        collection.wake()
