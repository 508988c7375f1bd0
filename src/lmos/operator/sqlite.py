"""`SqliteStore`: resources in a database beside the turn log, for one machine without a cluster.

It behaves as the Kubernetes API does, so that the operator cannot tell them apart: uids, generations and resource
versions, conditional writes, removal with the owner, watches that resume. Several processes may use one file. Each
change is one transaction together with its entry in the change log, from which watches are served.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from lmos.clock import Clock, rfc3339
from lmos.database.base import Connection, DatabaseError
from lmos.database.engine import Database
from lmos.operator import sql
from lmos.operator.base import (
    ALL_NAMESPACES,
    Conflict,
    Listing,
    NotFound,
    ResourceExpired,
    StoreError,
    WatchEvent,
)
from lmos.operator.changes import Changes
from lmos.operator.preconditions import Found, check_preconditions
from lmos.resources.base import Resource, ResourceKey
from lmos.resources.kinds import Kind, kind_named

__all__ = ["BOOKMARK_SECONDS", "RETAINED_CHANGES", "SqliteStore"]

T = TypeVar("T")

RETAINED_CHANGES: Final = 10_000
"""How far a watch may lag behind before it must list again."""

BOOKMARK_SECONDS: Final = 60.0
"""How long a watch stays silent at most while other objects change."""

_PAGE: Final = 500
_GARBAGE_COLLECTOR: Final = "lmos-garbage-collector"


class SqliteStore:
    """A `Store` over a `Database`, which the caller closes after `aclose`. Use it from one event loop."""

    def __init__(self, db: Database, clock: Clock, *, retained_changes: int = RETAINED_CHANGES) -> None:
        try:
            db.require(sql.SCHEMA)
        except DatabaseError as error:
            raise StoreError(str(error)) from error
        self._db = db
        self._clock = clock
        self._retained = retained_changes
        self._changes = Changes(self._latest)

    async def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        """The object, or `None`."""
        known = _kind(kind)
        key = ResourceKey(kind=known.kind, namespace=namespace, name=name)
        return await self._read(lambda connection: _load(connection, known, key))

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        """Objects by namespace and name, on one snapshot with the version to watch from."""
        known, wanted = _kind(kind), dict(selector or {})

        def work(connection: Connection) -> Listing:
            bodies = sql.select_objects(connection, known.kind, _one(namespace), wanted)
            return Listing(tuple(_parsed(known, body) for body in bodies), str(sql.versions(connection).latest))

        return await self._read(work)

    async def watch(self, kind: str, namespace: str, since: str) -> AsyncGenerator[WatchEvent, None]:
        """Changes after `since`: those of this process at once, those of others within 0.2 s."""
        known, position = _kind(kind), _version(since)
        told, loop = position, asyncio.get_running_loop()
        bookmark_at = loop.time() + BOOKMARK_SECONDS
        with self._changes.watching():
            while True:
                events, position = await self._read(_changes_work(known, namespace, position))
                for event in events:
                    yield event
                if events:
                    told, bookmark_at = position, loop.time() + BOOKMARK_SECONDS
                try:
                    async with asyncio.timeout_at(bookmark_at):
                        await self._changes.after(position)
                except TimeoutError:
                    bookmark_at = loop.time() + BOOKMARK_SECONDS
                    if position > told:
                        told = position
                        yield WatchEvent("bookmark", str(position))

    async def apply(
        self, resource: Resource, *, field_manager: str, force: bool = True, without: Collection[str] = ()
    ) -> Resource:
        """Create or replace; `uid`, `generation` and timestamps of `resource` are the store's to set.

        No field has an owner here: nothing stays that `resource` has not, and `force` changes nothing.

        `metadata.uid` and `metadata.resource_version` make the call conditional. Raises `Conflict` also for an object
        whose owners are all gone: Kubernetes would remove it at once.
        """
        if resource.metadata.finalizers:
            raise StoreError(
                f"{resource.key}: metadata.finalizers {resource.metadata.finalizers!r}: the embedded store removes "
                "objects at once; leave the finalizers out"
            )
        known, uid, now = _kind(resource.KIND), self._clock.new_id(), rfc3339(self._clock.now())

        def work(connection: Connection) -> Resource:
            old = _load(connection, known, resource.key)
            check_preconditions(resource, _found(old))
            new = _created(known, resource, uid, now) if old is None else _replaced(old, resource)
            if old is not None and new == old:
                return old
            _check_owners(connection, new)
            return self._store(connection, new, old, field_manager)

        return self._noted(await self._write(work))

    async def update_status(self, resource: Resource, *, field_manager: str) -> Resource:
        """Write only `status`; conditional like `apply`. Raises `NotFound` and `Conflict`."""
        known = _kind(resource.KIND)
        if not known.has_status:
            raise StoreError(f"{resource.key}: {known.kind} has no status; apply it instead")

        def work(connection: Connection) -> Resource:
            old = _load(connection, known, resource.key)
            if old is None:
                raise NotFound(f"{resource.key} does not exist, so its status cannot be written; apply it first")
            check_preconditions(resource, _found(old))
            new = old.model_copy(update={"status": _status(resource)})
            if new == old:
                return old
            return self._store(connection, new, old, field_manager)

        return self._noted(await self._write(work))

    async def delete(self, kind: str, namespace: str, name: str) -> bool:
        """Remove the object and, in the same transaction, what no other object owns with it."""
        known = _kind(kind)
        key = ResourceKey(kind=known.kind, namespace=namespace, name=name)
        removed_at = await self._write(lambda connection: self._remove(connection, key))
        self._changes.note(removed_at)
        return removed_at > 0

    async def aclose(self) -> None:
        """End watches and stop looking for changes of other processes."""
        await self._changes.aclose()

    def _store(self, connection: Connection, new: Resource, old: Resource | None, manager: str) -> Resource:
        """Write `new` in place of `old` under the next resource version."""
        key, meta = new.key, new.metadata
        version = sql.next_version(connection)
        new = new.with_meta(resource_version=str(version))
        body = _body(new)
        if old is None:
            sql.insert_object(connection, key, str(meta.uid), meta.labels, body, manager)
        else:
            sql.update_object(connection, key, meta.labels, body, manager)
        if old is None or old.metadata.owner_references != meta.owner_references:
            sql.set_owners(connection, key, {owner.uid for owner in meta.owner_references})
        self._log(connection, version, "added" if old is None else "modified", key, body, manager)
        return new

    def _remove(self, connection: Connection, key: ResourceKey) -> int:
        """Remove an object and what hangs on it; the last version used, 0 when there is no such object."""
        version, doomed = 0, [(key, "")]
        while doomed:
            key, owner = doomed.pop(0)
            known = _kind(key.kind)
            resource = _load(connection, known, key)
            if resource is None:  # an object may own another by two ways
                continue
            others = tuple(o for o in resource.metadata.owner_references if o.uid != owner)
            if owner and any(sql.uid_exists(connection, other.uid) for other in others):
                kept = self._store(
                    connection, resource.with_meta(owner_references=others), resource, _GARBAGE_COLLECTOR
                )
                version = int(kept.metadata.resource_version or 0)
                continue
            version = sql.next_version(connection)
            sql.delete_object(connection, key)
            last = resource.with_meta(resource_version=str(version))
            self._log(connection, version, "deleted", key, _body(last), _GARBAGE_COLLECTOR if owner else "")
            uid = str(resource.metadata.uid)
            doomed += [(owned, uid) for owned in sql.owned_by(connection, uid)]
        return version

    def _log(
        self, connection: Connection, version: int, change: sql.ChangeType, key: ResourceKey, body: str, manager: str
    ) -> None:
        sql.add_change(connection, version, change, key, body, manager)
        if version > self._retained and version % max(1, self._retained // 10) == 0:
            sql.prune_changes(connection, version - self._retained)

    def _noted(self, written: Resource) -> Resource:
        self._changes.note(int(written.metadata.resource_version or 0))
        return written

    async def _latest(self) -> int:
        return (await self._read(sql.versions)).latest

    async def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            return await self._db.read(work)
        except DatabaseError as error:
            raise StoreError(str(error)) from error

    async def _write(self, work: Callable[[Connection], T]) -> T:
        try:
            return await self._db.write(work)
        except DatabaseError as error:
            raise StoreError(str(error)) from error


def _kind(name: str) -> Kind:
    try:
        return kind_named(name)
    except KeyError as error:
        raise StoreError(str(error.args[0])) from error


def _one(namespace: str) -> str | None:
    return None if namespace == ALL_NAMESPACES else namespace


def _version(since: str) -> int:
    if not (since.isascii() and since.isdigit()):
        raise StoreError(f"resource version {since!r} is none of this store; take the one that list returned")
    return int(since)


def _parsed(known: Kind, body: str) -> Resource:
    try:
        return known.model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise StoreError(
            f"a stored {known.kind} cannot be read: {field}: {first['msg']}; was it written by a newer version? "
            "Upgrade this installation"
        ) from error


def _load(connection: Connection, known: Kind, key: ResourceKey) -> Resource | None:
    body = sql.select_object(connection, key)
    return None if body is None else _parsed(known, body)


def _body(resource: Resource) -> str:
    # Without defaults, as an API server stores an object: what nobody wrote may get another default one day.
    return resource.model_dump_json(by_alias=True, exclude_none=True, exclude_unset=True)


def _changes_work(known: Kind, namespace: str, after: int) -> Callable[[Connection], tuple[list[WatchEvent], int]]:
    """Reads events after version `after` and the version up to which they are complete."""

    def work(connection: Connection) -> tuple[list[WatchEvent], int]:
        latest, pruned = sql.versions(connection)
        if not pruned <= after <= latest:
            raise ResourceExpired(
                f"resource version {after} is not in the change log (versions {pruned} to {latest}); list again"
            )
        changes = sql.select_changes(connection, known.kind, _one(namespace), after, _PAGE)
        events = [WatchEvent(c.type, str(c.version), _parsed(known, c.body)) for c in changes]
        return events, changes[-1].version if len(changes) == _PAGE else latest

    return work


def _found(old: Resource | None) -> Found | None:
    return None if old is None else Found(old.metadata.uid, old.metadata.resource_version)


def _check_owners(connection: Connection, resource: Resource) -> None:
    owners = resource.metadata.owner_references
    if owners and not any(sql.uid_exists(connection, owner.uid) for owner in owners):
        named = ", ".join(f"{owner.kind.lower()}/{owner.name} (uid {owner.uid})" for owner in owners)
        raise Conflict(f"{resource.key}: its owner {named} does not exist; read the owner again and retry")


def _created(known: Kind, resource: Resource, uid: str, now: str) -> Resource:
    new = resource.with_meta(
        uid=uid,
        generation=1,
        creation_timestamp=now,
        resource_version=None,
        deletion_timestamp=None,
        deletion_grace_period_seconds=None,
        managed_fields=(),
        self_link=None,
    )
    return new.model_copy(update={"status": None}) if known.has_status else new


def _replaced(old: Resource, resource: Resource) -> Resource:
    """`old` with what people own taken from `resource`; equal to `old` when nothing differs."""
    meta, spec = resource.metadata, _spec(resource)
    new = old.with_meta(
        labels=meta.labels, annotations=meta.annotations, owner_references=meta.owner_references
    ).model_copy(update={"spec": spec})
    if spec != _spec(old):
        new = new.with_meta(generation=(old.metadata.generation or 0) + 1)
    return new


# Every kind has a spec, and those with `has_status` a status; their common base does not know the types.
def _spec(resource: Resource) -> Any:
    return getattr(resource, "spec", None)


def _status(resource: Resource) -> Any:
    return getattr(resource, "status", None)
