"""The table of the pgvector index and its statements. `pgvector_index` decides when they run.

All of it can be made again from the agents, so there is no migration: a new layout gets a new table. Vectors are kept
at unit length; their inner product is then the cosine, and 0 for the zero vector, where pgvector's own cosine is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Column,
    Connection,
    Engine,
    Float,
    MetaData,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    collate,
    create_engine,
    delete,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.types import UserDefinedType

from lmos.encoders.base import Vectors
from lmos.router.base import IndexEntry, IndexUnavailable

__all__ = [
    "Connection",
    "SQLAlchemyError",
    "create_table",
    "delete_entries",
    "dimensions_of",
    "open_engine",
    "select_entries",
    "select_nearest",
    "upsert_entries",
]


class _Vector(UserDefinedType[str]):
    """pgvector's type, written and read in its text form `[0.6,0.8]`."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "vector"


# The fields of an entry, in their order.
_FIELDS: Final = ("id", "agent", "capability", "text", "agent_id", "capability_id", "address", "description", "encoder")

_table = Table(
    "lmos_router_index_1",
    MetaData(),
    Column("collection", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    *(Column(field, Text, nullable=False) for field in _FIELDS[1:]),
    Column("unit", _Vector, nullable=False),
)
_t = _table.c
_by_id = collate(_t.id, "C")
_here = _t.collection == bindparam("of")
_product = -_t.unit.op("<#>", return_type=Float())(cast(bindparam("wanted", type_=Text), _Vector()))

# Two processes that begin at once must not both create: the key is any number that only this statement uses.
_LOCK: Final = select(func.pg_advisory_xact_lock(7305164225))
_EXTENSION: Final = text("CREATE EXTENSION IF NOT EXISTS vector")
_INSERT = insert(_table).values(
    **{field: bindparam(f"new_{field}", type_=Text) for field in ("collection", *_FIELDS)},
    unit=cast(bindparam("new_unit", type_=Text), _Vector()),
)
_UPSERT: Final = _INSERT.on_conflict_do_update(
    index_elements=["collection", "id"],
    set_={column.name: column for column in _INSERT.excluded if column.name not in ("collection", "id")},
)
_DELETE: Final = delete(_table).where(_here, _t.id == any_(bindparam("ids", type_=ARRAY(Text))))
_DIMENSIONS: Final = select(func.vector_dims(_t.unit)).where(_here).limit(1)
_ENTRIES: Final = select(*(_t[field] for field in _FIELDS)).where(_here).order_by(_by_id)
_NEAREST: Final = (
    select(*(_t[field] for field in _FIELDS), _product)
    .where(_here)
    .order_by(_product.desc(), _by_id)
    .limit(bindparam("k"))
)


def open_engine(url: str, connections: int) -> Engine:
    """An engine for `postgresql://` URLs, through psycopg. Connects to nothing yet. Raises `IndexUnavailable`."""
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
        return create_engine(parsed, pool_size=connections, max_overflow=0, pool_pre_ping=True)
    except (ArgumentError, ValueError) as error:
        raise IndexUnavailable("The URL of the index cannot be read: write postgresql://USER@HOST/DATABASE") from error
    except ModuleNotFoundError as error:
        raise IndexUnavailable(
            "The index needs a package that is not installed: pip install 'lmos[postgres]'"
        ) from error


def create_table(connection: Connection) -> None:
    """Extension and table, unless they exist."""
    connection.execute(_LOCK)
    connection.execute(_EXTENSION)
    _table.create(connection, checkfirst=True)


def dimensions_of(connection: Connection, collection: str) -> int | None:
    """Length of the vectors in a collection, `None` when it is empty."""
    return connection.execute(_DIMENSIONS, {"of": collection}).scalar()


def upsert_entries(connection: Connection, collection: str, entries: Sequence[IndexEntry], units: Vectors) -> None:
    """Add or replace entries with their vectors at unit length."""
    rows = [
        {
            "new_collection": collection,
            "new_unit": _literal(unit),
            **{f"new_{field}": getattr(entry, field) for field in _FIELDS},
        }
        for entry, unit in zip(entries, units, strict=True)
    ]
    connection.execute(_UPSERT, rows)


def delete_entries(connection: Connection, collection: str, ids: Sequence[str]) -> None:
    connection.execute(_DELETE, {"of": collection, "ids": list(ids)})


def select_entries(connection: Connection, collection: str) -> list[IndexEntry]:
    """All entries, by id."""
    return [_entry(row) for row in connection.execute(_ENTRIES, {"of": collection})]


def select_nearest(connection: Connection, collection: str, unit: Vectors, k: int) -> list[tuple[IndexEntry, float]]:
    """The `k` entries with the greatest inner product, ties by id, and that product."""
    found = connection.execute(_NEAREST, {"of": collection, "wanted": _literal(unit), "k": k})
    return [(_entry(row), float(row[-1])) for row in found]


def _entry(row: Sequence[Any]) -> IndexEntry:
    """The entry at the beginning of a row."""
    return IndexEntry(**dict(zip(_FIELDS, row, strict=False)))


def _literal(unit: Vectors) -> str:
    """A vector as pgvector reads it."""
    return f"[{','.join(map(str, unit.tolist()))}]"
