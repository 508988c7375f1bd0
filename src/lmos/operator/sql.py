"""Tables and statements of the embedded store. `sqlite.py` decides what is written; this module writes and reads it.

`objects` holds the present, `changes` the recent past for watches, `owners` who goes with whom. `store_version` has one
row: counting up in it takes the write lock, so versions become visible in the order in which they are given out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    insert,
    select,
    update,
)

from lmos.database.base import Schema
from lmos.resources.base import ResourceKey

__all__ = [
    "SCHEMA",
    "Change",
    "ChangeType",
    "Versions",
    "add_change",
    "delete_object",
    "insert_object",
    "metadata",
    "next_version",
    "owned_by",
    "prune_changes",
    "select_changes",
    "select_object",
    "select_objects",
    "set_owners",
    "uid_exists",
    "update_object",
    "versions",
]

SCHEMA: Final = Schema(room="operator", head="operator_0001", versions=Path(__file__).parent / "revisions")

metadata = MetaData()

_version = Table(
    "store_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("latest", Integer, nullable=False),
    Column("pruned", Integer, nullable=False),  # changes up to this version are gone
)

_objects = Table(
    "objects",
    metadata,
    Column("kind", String, primary_key=True),
    Column("namespace", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("uid", String, nullable=False, unique=True),
    Column("labels", Text, nullable=False),  # JSON, also part of the body: selectors need not parse all bodies
    Column("body", Text, nullable=False),  # the object as JSON
    Column("manager", String, nullable=False),  # who wrote last
    sqlite_with_rowid=False,
)

_owners = Table(
    "owners",
    metadata,
    Column("owner", String, primary_key=True),  # uid
    Column("kind", String, primary_key=True),
    Column("namespace", String, primary_key=True),
    Column("name", String, primary_key=True),
    sqlite_with_rowid=False,
)

_changes = Table(
    "changes",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("type", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("namespace", String, nullable=False),
    Column("body", Text, nullable=False),
    Column("manager", String, nullable=False),
)

# Statements are built once; names that start with `k_` are keys, since a column's own name would set it.
_v, _o, _w, _c = _version.c, _objects.c, _owners.c, _changes.c
_this_object = _o.kind == bindparam("k_kind")
_this_object &= _o.namespace == bindparam("k_namespace")
_this_object &= _o.name == bindparam("k_name")

_SELECT_VERSIONS = select(_v.latest, _v.pruned)
_NEXT_VERSION = update(_version).values(latest=_v.latest + 1).returning(_v.latest)
_SET_PRUNED = update(_version).values(pruned=bindparam("to_pruned"))
_SELECT_OBJECT = select(_o.body).where(_this_object)
_SELECT_KIND = select(_o.labels, _o.body).where(_o.kind == bindparam("k_kind")).order_by(_o.namespace, _o.name)
_SELECT_NAMESPACE = _SELECT_KIND.where(_o.namespace == bindparam("k_namespace"))
_INSERT_OBJECT = insert(_objects)
_UPDATE_OBJECT = (
    update(_objects)
    .where(_this_object)
    .values(labels=bindparam("to_labels"), body=bindparam("to_body"), manager=bindparam("to_manager"))
)
_DELETE_OBJECT = delete(_objects).where(_this_object)
_UID_EXISTS = select(exists().where(_o.uid == bindparam("k_uid")))
_INSERT_OWNERS = insert(_owners)
_DELETE_OWNERS = delete(_owners).where(
    _w.kind == bindparam("k_kind"), _w.namespace == bindparam("k_namespace"), _w.name == bindparam("k_name")
)
_SELECT_OWNED = (
    select(_w.kind, _w.namespace, _w.name)
    .where(_w.owner == bindparam("k_owner"))
    .order_by(_w.kind, _w.namespace, _w.name)
)
_INSERT_CHANGE = insert(_changes)
_PRUNE_CHANGES = delete(_changes).where(_c.version <= bindparam("up_to"))
_SELECT_CHANGES = (
    select(_c.version, _c.type, _c.body)
    .where(_c.version > bindparam("after"), _c.kind == bindparam("k_kind"))
    .order_by(_c.version)
    .limit(bindparam("most"))
)
_SELECT_CHANGES_OF_NAMESPACE = _SELECT_CHANGES.where(_c.namespace == bindparam("k_namespace"))


ChangeType: TypeAlias = Literal["added", "modified", "deleted"]


class Versions(NamedTuple):
    """The newest resource version, and the one up to which changes are no longer kept."""

    latest: int
    pruned: int


class Change(NamedTuple):
    """A row of the change log; `body` is the object after the change, or its last state."""

    version: int
    type: ChangeType
    body: str


def versions(connection: Connection) -> Versions:
    """Where the change log begins and ends."""
    return Versions(*connection.execute(_SELECT_VERSIONS).one())


def next_version(connection: Connection) -> int:
    """A fresh resource version, greater than all before."""
    return connection.execute(_NEXT_VERSION).scalar_one()


def select_object(connection: Connection, key: ResourceKey) -> str | None:
    """JSON of the object, or `None`."""
    return connection.execute(_SELECT_OBJECT, _keyed(key)).scalar_one_or_none()


def select_objects(connection: Connection, kind: str, namespace: str | None, selector: Mapping[str, str]) -> list[str]:
    """JSON of the objects of a kind, in one namespace or (`None`) all, whose labels contain `selector`."""
    if namespace is None:
        rows = connection.execute(_SELECT_KIND, {"k_kind": kind})
    else:
        rows = connection.execute(_SELECT_NAMESPACE, {"k_kind": kind, "k_namespace": namespace})
    return [body for labels, body in rows if not selector or selector.items() <= json.loads(labels).items()]


def insert_object(
    connection: Connection, key: ResourceKey, uid: str, labels: Mapping[str, str], body: str, manager: str
) -> None:
    """A new object."""
    row = {"kind": key.kind, "namespace": key.namespace, "name": key.name, "uid": uid}
    connection.execute(_INSERT_OBJECT, row | {"labels": json.dumps(dict(labels)), "body": body, "manager": manager})


def update_object(connection: Connection, key: ResourceKey, labels: Mapping[str, str], body: str, manager: str) -> None:
    """A new state of an existing object."""
    row = {"to_labels": json.dumps(dict(labels)), "to_body": body, "to_manager": manager}
    connection.execute(_UPDATE_OBJECT, _keyed(key) | row)


def delete_object(connection: Connection, key: ResourceKey) -> None:
    """Remove the object and the note of who owned it."""
    connection.execute(_DELETE_OBJECT, _keyed(key))
    connection.execute(_DELETE_OWNERS, _keyed(key))


def uid_exists(connection: Connection, uid: str) -> bool:
    """Whether an object with this uid is stored."""
    return bool(connection.execute(_UID_EXISTS, {"k_uid": uid}).scalar_one())


def set_owners(connection: Connection, key: ResourceKey, owners: Collection[str]) -> None:
    """Note the uids of those that own the object, in place of earlier ones."""
    connection.execute(_DELETE_OWNERS, _keyed(key))
    if owners:
        row = {"kind": key.kind, "namespace": key.namespace, "name": key.name}
        connection.execute(_INSERT_OWNERS, [row | {"owner": owner} for owner in sorted(set(owners))])


def owned_by(connection: Connection, uid: str) -> list[ResourceKey]:
    """The objects that name `uid` among their owners."""
    rows = connection.execute(_SELECT_OWNED, {"k_owner": uid})
    return [ResourceKey(kind=kind, namespace=namespace, name=name) for kind, namespace, name in rows]


def add_change(
    connection: Connection, version: int, change: ChangeType, key: ResourceKey, body: str, manager: str
) -> None:
    """Tell watches of a change."""
    row = {"version": version, "type": change, "kind": key.kind, "namespace": key.namespace}
    connection.execute(_INSERT_CHANGE, row | {"body": body, "manager": manager})


def prune_changes(connection: Connection, up_to: int) -> None:
    """Forget the changes with a version of at most `up_to`."""
    connection.execute(_PRUNE_CHANGES, {"up_to": up_to})
    connection.execute(_SET_PRUNED, {"to_pruned": up_to})


def select_changes(connection: Connection, kind: str, namespace: str | None, after: int, most: int) -> list[Change]:
    """The first `most` changes of a kind, in one namespace or (`None`) all, with a version greater than `after`."""
    keys: dict[str, object] = {"k_kind": kind, "after": after, "most": most}
    if namespace is None:
        rows = connection.execute(_SELECT_CHANGES, keys)
    else:
        rows = connection.execute(_SELECT_CHANGES_OF_NAMESPACE, keys | {"k_namespace": namespace})
    return [Change(*row) for row in rows]


def _keyed(key: ResourceKey) -> dict[str, str]:
    return {"k_kind": key.kind, "k_namespace": key.namespace, "k_name": key.name}
