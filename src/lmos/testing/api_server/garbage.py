"""The controllers that an API server is hardly ever without: they remove what belongs to nobody, and namespaces.

`ApiServer` runs one collector. As in a cluster, it comes some time after the deletion that made the garbage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from lmos.testing.api_server.answers import Json
from lmos.testing.api_server.conditions import Target
from lmos.testing.api_server.served import Served
from lmos.testing.api_server.storage import Collection, Key, Storage
from lmos.testing.api_server.writes import NAMESPACE, Writes

__all__ = ["Collector"]

_MANAGER: Final = "kube-controller-manager"


class Collector:
    """Collects `seconds` after it was told that there may be garbage, unless the server is down then."""

    def __init__(self, storage: Storage, writes: Writes, seconds: float, running: Callable[[], bool]) -> None:
        self._storage = storage
        self._writes = writes
        self._seconds = seconds
        self._running = running
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """There may be garbage."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._collect)

    def _collect(self) -> None:
        self._timer = None
        if not self._running():
            return  # the start looks again
        for served, collection in list(self._storage.served()):
            for key, found in list(collection.objects.items()):
                if key in collection.objects:
                    self._judge(Target(served, collection, key), found)
        self._empty_namespaces()

    def _judge(self, target: Target, found: Json) -> None:
        owners: list[Json] = found["metadata"].get("ownerReferences", [])
        gone = {owner["uid"] for owner in owners if not self._lives(owner["uid"], target.key.namespace)}
        if not gone:
            return
        if len(gone) == len({owner["uid"] for owner in owners}):
            self._writes.delete(target, {})
        else:
            self._writes.disown(target, found, gone, _MANAGER)

    def _lives(self, uid: str, namespace: str) -> bool:
        found = self._storage.uids.get(uid)
        return found is not None and found.namespace in ("", namespace)

    def _empty_namespaces(self) -> None:
        everything = list(self._storage.served())
        namespaces = next((found for found in everything if found[0].kind == NAMESPACE), None)
        if namespaces is None:
            return
        for key, found in list(namespaces[1].objects.items()):
            if "deletionTimestamp" in found["metadata"] and self._is_empty(everything, key.name):
                self._writes.remove(Target(*namespaces, key))

    def _is_empty(self, everything: list[tuple[Served, Collection]], namespace: str) -> bool:
        """Delete what is in the namespace; whether nothing is left."""
        left = [(served, c, key) for served, c in everything for key in c.objects if key.namespace == namespace]
        for served, collection, key in left:
            self._writes.delete(Target(served, collection, key), {})
        return not any(Key(namespace, key.name) in collection.objects for _, collection, key in left)
