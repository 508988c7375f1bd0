"""A store that fails on demand around a real one, and counts what is written."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping

from lmos.operator.base import Listing, ResourceExpired, Store, StoreError, WatchEvent
from lmos.resources.base import Resource

__all__ = ["FlakyStore"]


class FlakyStore:
    """Passes everything on to `inner`, except while it is told to fail.

    `refused_at` has the times of lists and watches that came while it was disconnected.
    `writes` counts the calls of `apply` and `update_status` by kind, `needless` those that changed nothing.
    """

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self._failures: Counter[str] = Counter()
        self._connected = asyncio.Event()
        self._connected.set()
        self._cut = asyncio.Event()
        self._error: Exception = StoreError("connection lost")
        self._expired: set[str] = set()
        self._interludes: dict[tuple[str, str], Callable[[], Awaitable[None]]] = {}
        self.writes: Counter[tuple[str, str]] = Counter()
        self.needless = 0
        self.refused_at: list[float] = []

    def fail(self, operation: str, times: int) -> None:
        """The next `times` calls of `operation` raise `StoreError` before they reach the store."""
        self._failures[operation] += times

    def before(self, operation: str, kind: str, interlude: Callable[[], Awaitable[None]]) -> None:
        """Run `interlude` once, just before the next call of `operation` for `kind` reaches the store."""
        self._interludes[operation, kind] = interlude

    def disconnect(self, error: Exception | None = None) -> None:
        """End every watch with `error` (a `StoreError` by default), and refuse to list and watch."""
        self._error = error or StoreError("connection lost")
        self._connected.clear()
        self._cut.set()
        self._cut = asyncio.Event()

    def reconnect(self, *expired: str) -> None:
        """Work again; the next watch of each kind in `expired` is told that its version is gone."""
        self._expired = set(expired)
        self._connected.set()

    async def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        if (interlude := self._interludes.pop(("get", kind), None)) is not None:
            await interlude()
        return await self._inner.get(kind, namespace, name)

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        self._check()
        return await self._inner.list(kind, namespace, selector)

    async def watch(self, kind: str, namespace: str, since: str) -> AsyncIterator[WatchEvent]:
        self._check()
        if kind in self._expired:
            self._expired.discard(kind)
            raise ResourceExpired(f"version {since} of {kind} is gone")
        cut = asyncio.ensure_future(self._cut.wait())
        events = aiter(self._inner.watch(kind, namespace, since))
        following: asyncio.Future[WatchEvent] | None = None
        try:
            while True:
                following = asyncio.ensure_future(anext(events))
                await asyncio.wait((following, cut), return_when=asyncio.FIRST_COMPLETED)
                if cut.done():
                    raise self._error
                yield following.result()
        finally:
            cut.cancel()
            if following is not None:
                following.cancel()
                await asyncio.wait((following,))

    async def apply(
        self, resource: Resource, *, field_manager: str, force: bool = True, without: Collection[str] = ()
    ) -> Resource:
        await self._enter("apply", resource.KIND)
        before = await self._version(resource)
        stored = await self._inner.apply(resource, field_manager=field_manager, force=force, without=without)
        return self._leave(before, stored)

    async def update_status(self, resource: Resource, *, field_manager: str) -> Resource:
        await self._enter("update_status", resource.KIND)
        before = await self._version(resource)
        return self._leave(before, await self._inner.update_status(resource, field_manager=field_manager))

    async def delete(self, kind: str, namespace: str, name: str) -> bool:
        return await self._inner.delete(kind, namespace, name)

    def _check(self) -> None:
        if not self._connected.is_set():
            self.refused_at.append(asyncio.get_running_loop().time())
            raise StoreError("not connected")

    async def _enter(self, operation: str, kind: str) -> None:
        if self._failures[operation] > 0:
            self._failures[operation] -= 1
            raise StoreError(f"{operation} is told to fail")
        interlude = self._interludes.pop((operation, kind), None)
        if interlude is not None:
            await interlude()
        self.writes[operation, kind] += 1

    async def _version(self, resource: Resource) -> str | None:
        found = await self._inner.get(resource.KIND, resource.metadata.namespace, resource.metadata.name)
        return None if found is None else found.metadata.resource_version

    def _leave(self, before: str | None, written: Resource) -> Resource:
        self.needless += written.metadata.resource_version == before
        return written
