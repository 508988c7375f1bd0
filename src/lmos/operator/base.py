"""The `Store` port: where resources live. SQLite embedded, the Kubernetes API at scale; one contract suite for both.

Reconcilers, the runtime's routing table and the CLI use it. A store keeps objects and tells of changes; it resolves
nothing. The namespace is part of every call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from lmos.resources.base import Resource

__all__ = [
    "ALL_NAMESPACES",
    "Conflict",
    "Listing",
    "NotFound",
    "ResourceExpired",
    "Source",
    "Store",
    "StoreError",
    "WatchEvent",
]

ALL_NAMESPACES: Final = "*"


class StoreError(Exception):
    """A store cannot do what was asked; the message says what to do."""


class Conflict(StoreError):
    """The object changed since `metadata.resource_version`, or another field manager owns the field. Read and retry."""


class NotFound(StoreError):
    """No such object."""


class ResourceExpired(StoreError):
    """The resource version to watch from is gone (HTTP 410): list again."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects in order of namespace and name, and the version to watch from."""

    items: tuple[Resource, ...]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change. `bookmark` carries only a newer `resource_version`; for `deleted`, `resource` is the last state."""

    type: Literal["added", "modified", "deleted", "bookmark"]
    resource_version: str
    resource: Resource | None = None


class Source(Protocol):
    """What can be listed and followed: a store, or a copy of one. All raise `StoreError` for a fault of it."""

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        """Objects of `namespace` (or `ALL_NAMESPACES`) whose labels contain `selector`."""
        ...

    def watch(self, kind: str, namespace: str, since: str) -> AsyncIterator[WatchEvent]:
        """Changes after version `since`, in order, for ever. Raises `ResourceExpired` when `since` is too old."""
        ...


class Store(Source, Protocol):
    """Operations on one kind at a time. All raise `StoreError` for a fault of the store."""

    async def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        """The object, or `None`."""
        ...

    async def apply(
        self, resource: Resource, *, field_manager: str, force: bool = True, without: Collection[str] = ()
    ) -> Resource:
        """Create or replace spec, labels, annotations and owner references; status stays.

        Returns the stored object. Bumps `generation` when the spec changed; an equal object is not written and keeps
        its resource version. A `metadata.resource_version` makes the call conditional: raises `Conflict` when the
        object has moved on. What other field managers own beside that (labels, say) may stay, but for the labels and
        annotations named by `without`: they go, whoever has set them. A field of theirs that is to change is taken over
        with `force`, else it raises `Conflict`; a store that knows no owners takes it over.
        """
        ...

    async def update_status(self, resource: Resource, *, field_manager: str) -> Resource:
        """Write only `status`; conditional like `apply`. Raises `NotFound`; an equal status is not written."""
        ...

    async def delete(self, kind: str, namespace: str, name: str) -> bool:
        """Remove the object and what it owns; false when there is none."""
        ...
