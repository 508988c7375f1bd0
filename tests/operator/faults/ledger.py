"""What operators have written, and what they should not have: the part of the oracle that looks at deeds.

Needless is a write whose answer is the version that the operator's cache held when it decided to write: the object was
as it was wanted, and known to be so. A write that repeats one whose answer was lost is none: the cache did not know.
Blind is a status about another generation of the object than it has when the status is written. Out of turn is a write
that leaves a process while another one holds the Lease.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Final

import orjson

from lmos.operator.base import Listing, Store, WatchEvent
from lmos.operator.kubernetes.transport import Answer
from lmos.operator.views import Views
from lmos.resources.agent import Agent
from lmos.resources.base import Resource
from lmos.resources.channel import Channel
from lmos.testing.api_server import ApiServer, Request
from tests.operator.faults.loop import Process

__all__ = ["LEASE", "Ledger"]

LEASE: Final = "lmos-operator"
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_FREE: Final = ("leases", "events")
"""What everybody may write at any time."""


class Ledger:
    """`wrongs` tells, in words, of each deed that was wrong; `writes` counts all, by kind."""

    def __init__(self) -> None:
        self.wrongs: list[str] = []
        self.writes: Counter[str] = Counter()

    def watch(self, store: Store, views: Callable[[], Views], who: str) -> Store:
        """`store`, whose writes are noted."""
        return _Noted(store, views, who, self)

    def sent(self, server: ApiServer, process: Process, request: Request) -> None:
        """A request leaves a process."""
        if request.method not in _WRITES or any(f"/{plural}" in request.path for plural in _FREE):
            return
        holder = _holder(server)
        if holder not in ("", process.name):
            self.wrongs.append(f"{process.name} sends {request.method} {request.path} while {holder} holds the Lease")

    def answered(self, request: Request, answer: Answer) -> None:
        """A request has taken effect."""
        if request.method != "PATCH" or not request.path.endswith("/status") or answer.status >= 300:
            return
        found = orjson.loads(answer.body)
        about, generation = found["status"].get("observedGeneration"), found["metadata"]["generation"]
        if about != generation:
            self.wrongs.append(f"{request.user} wrote {request.path} about generation {about} of {generation}")


class _Noted:
    def __init__(self, store: Store, views: Callable[[], Views], who: str, ledger: Ledger) -> None:
        self._store = store
        self._views = views
        self._who = who
        self._ledger = ledger

    async def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        return await self._store.get(kind, namespace, name)

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        return await self._store.list(kind, namespace, selector)

    def watch(self, kind: str, namespace: str, since: str) -> AsyncIterator[WatchEvent]:
        return self._store.watch(kind, namespace, since)

    async def apply(
        self, resource: Resource, *, field_manager: str, force: bool = True, without: Collection[str] = ()
    ) -> Resource:
        known = self._known(resource)
        stored = await self._store.apply(resource, field_manager=field_manager, force=force, without=without)
        return self._note("apply", known, stored)

    async def update_status(self, resource: Resource, *, field_manager: str) -> Resource:
        known = self._known(resource)
        stored = await self._store.update_status(resource, field_manager=field_manager)
        return self._note("update_status", known, stored)

    async def delete(self, kind: str, namespace: str, name: str) -> bool:
        self._ledger.writes[f"delete {kind}"] += 1
        return await self._store.delete(kind, namespace, name)

    def _known(self, resource: Resource) -> str | None:
        """The version of the object in the operator's cache."""
        views = self._views()
        cache = views.agents if resource.KIND == Agent.KIND else views.routings
        cache = views.channels if resource.KIND == Channel.KIND else cache
        found = cache.get((resource.metadata.namespace, resource.metadata.name))
        return None if found is None else found.metadata.resource_version

    def _note(self, what: str, known: str | None, stored: Resource) -> Resource:
        self._ledger.writes[f"{what} {stored.KIND}"] += 1
        if stored.metadata.resource_version == known:
            self._ledger.wrongs.append(
                f"{self._who}: {what} of {stored.key} was needless: version {known} said the same"
            )
        return stored


def _holder(server: ApiServer) -> str:
    leases = (lease for lease in server.objects("leases") if lease["metadata"]["name"] == LEASE)
    lease = next(leases, None)
    return "" if lease is None else lease["spec"].get("holderIdentity") or ""
