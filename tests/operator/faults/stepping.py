"""Reconciles taken step by step, so that something may happen to their process at each of their awaits.

What a reconcile awaits are its store and the documents of agents; both are wrapped here, and `suspended` is called each
time when the reconcile is about to wait.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Generator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from lmos.operator.base import Listing, Store, WatchEvent
from lmos.operator.discovery.base import Document, Documents, Place
from lmos.resources.base import Resource

__all__ = ["SteppedDocuments", "SteppedStore"]

T = TypeVar("T")
Suspended = Callable[[], None]


class _Stepped(Awaitable[T], Generic[T]):
    """`work`, awaited; `suspended` is called before each of its waits."""

    def __init__(self, work: Coroutine[Any, Any, T], suspended: Suspended) -> None:
        self._work = work
        self._suspended = suspended

    def __await__(self) -> Generator[Any, Any, T]:
        resume: Callable[[], Any] = lambda: self._work.send(None)  # noqa: E731 - one of two ways to go on
        while True:
            try:
                waits_for = resume()
            except StopIteration as stop:
                return stop.value
            self._suspended()
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - handed on: what comes into a wait belongs to who waits
                thrown = error
                resume = lambda: self._work.throw(thrown)  # noqa: B023, E731
            else:
                resume = lambda: self._work.send(None)  # noqa: E731


class SteppedDocuments:
    """`documents`, with `suspended` at each wait."""

    def __init__(self, documents: Documents, suspended: Suspended) -> None:
        self._documents = documents
        self._suspended = suspended

    async def fetch(self, places: Sequence[Place]) -> Document:
        return await _Stepped(_coroutine(self._documents.fetch(places)), self._suspended)


class SteppedStore:
    """`store`, with `suspended` at each wait of what reconciles call."""

    def __init__(self, store: Store, suspended: Suspended) -> None:
        self._store = store
        self._suspended = suspended

    async def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        return await _Stepped(_coroutine(self._store.get(kind, namespace, name)), self._suspended)

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        return await self._store.list(kind, namespace, selector)

    def watch(self, kind: str, namespace: str, since: str) -> AsyncIterator[WatchEvent]:
        return self._store.watch(kind, namespace, since)

    async def apply(
        self, resource: Resource, *, field_manager: str, force: bool = True, without: Collection[str] = ()
    ) -> Resource:
        work = self._store.apply(resource, field_manager=field_manager, force=force, without=without)
        return await _Stepped(_coroutine(work), self._suspended)

    async def update_status(self, resource: Resource, *, field_manager: str) -> Resource:
        work = self._store.update_status(resource, field_manager=field_manager)
        return await _Stepped(_coroutine(work), self._suspended)

    async def delete(self, kind: str, namespace: str, name: str) -> bool:
        return await _Stepped(_coroutine(self._store.delete(kind, namespace, name)), self._suspended)


async def _coroutine(work: Awaitable[T]) -> T:
    return await work
