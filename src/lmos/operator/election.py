"""Who may write, when several operators run: the contract of a leader election, and the fence that enforces it.

The manager reconciles while its election leads. An embedded operator is alone on its store and always leads; on
Kubernetes a Lease decides. Even a fair election is imperfect (a paused process may believe in a lease that has ended),
so every write asks once more: `Fenced` refuses it when the term is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Protocol

from lmos.operator.base import Listing, Store, StoreError, WatchEvent
from lmos.resources.base import Resource

__all__ = ["AlwaysLeading", "Election", "Fenced", "NotLeading", "require_leading"]


class NotLeading(StoreError):
    """Another operator leads (or may soon): this one must not write."""


class Election(Protocol):
    """A seat that one operator at a time holds; terms come and go."""

    @property
    def leading(self) -> bool:
        """Whether this operator may write now. Looks at the clock each time: false as soon as the term may be over."""
        ...

    async def elected(self) -> None:
        """Wait until this operator leads; returns at once while it does."""
        ...

    async def deposed(self) -> None:
        """Wait until it leads no more; returns at once when it does not."""
        ...


class AlwaysLeading:
    """The election of an operator that is alone on its store."""

    leading = True

    async def elected(self) -> None:
        """Returns at once."""

    async def deposed(self) -> None:
        """Never returns."""
        await asyncio.Event().wait()


def require_leading(election: Election) -> None:
    """Raises `NotLeading` unless `election` leads at this moment."""
    if not election.leading:
        raise NotLeading("this operator does not lead (any more); the leader does this write")


class Fenced:
    """`store`, whose writes raise `NotLeading` unless `election` leads at that moment."""

    def __init__(self, store: Store, election: Election) -> None:
        self._store = store
        self._election = election

    async def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        return await self._store.get(kind, namespace, name)

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        return await self._store.list(kind, namespace, selector)

    def watch(self, kind: str, namespace: str, since: str) -> AsyncIterator[WatchEvent]:
        return self._store.watch(kind, namespace, since)

    async def apply(
        self, resource: Resource, *, field_manager: str, force: bool = True, without: Collection[str] = ()
    ) -> Resource:
        self._check()
        return await self._store.apply(resource, field_manager=field_manager, force=force, without=without)

    async def update_status(self, resource: Resource, *, field_manager: str) -> Resource:
        self._check()
        return await self._store.update_status(resource, field_manager=field_manager)

    async def delete(self, kind: str, namespace: str, name: str) -> bool:
        self._check()
        return await self._store.delete(kind, namespace, name)

    def _check(self) -> None:
        require_leading(self._election)
