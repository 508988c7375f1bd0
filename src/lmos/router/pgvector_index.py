"""`PgVectorIndex`: an index in PostgreSQL with pgvector, for several processes. The search is exact.

A collection holds some thousand vectors at most, which PostgreSQL scans in milliseconds: an approximate index would
cost answers and gain nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import anyio
import anyio.to_thread

from lmos.encoders.base import Vectors
from lmos.router import sql
from lmos.router.base import IndexEntry, IndexHit, IndexUnavailable
from lmos.router.index_rows import other_size, unit_rows

__all__ = ["PgVectorIndex"]

T = TypeVar("T")

_CONNECTIONS: Final = 2


class PgVectorIndex:
    """All collections in one table of the database at `url` (`postgresql://...`), created on first use.

    The role must be allowed to create the extension `vector`, or find it there.
    """

    def __init__(self, url: str) -> None:
        """Raises `IndexUnavailable` for a URL that cannot be read, or without the extra `postgres`."""
        self._engine = sql.open_engine(url, _CONNECTIONS)
        self._limiter = anyio.CapacityLimiter(_CONNECTIONS)
        self._ready = False

    async def upsert(self, collection: str, entries: Sequence[IndexEntry], vectors: Vectors) -> None:
        """Raises `ValueError` when `vectors` does not fit `entries` or the collection's dimensions."""
        units = unit_rows(entries, vectors)
        if entries:
            await self._run(lambda connection: _upsert(connection, collection, entries, units))

    async def remove(self, collection: str, ids: Sequence[str]) -> None:
        await self._run(lambda connection: sql.delete_entries(connection, collection, ids))

    async def search(self, collection: str, vector: Vectors, k: int) -> list[IndexHit]:
        (unit,) = unit_rows([IndexEntry("", "", "", "")], vector[None, :])
        if k < 1:
            return []
        found = await self._run(lambda connection: _nearest(connection, collection, unit, k))
        return [IndexHit(entry, score) for entry, score in found]

    async def entries(self, collection: str) -> list[IndexEntry]:
        return await self._run(lambda connection: sql.select_entries(connection, collection))

    async def aclose(self) -> None:
        await anyio.to_thread.run_sync(self._engine.dispose)

    async def _run(self, work: Callable[[sql.Connection], T]) -> T:
        """`work` in one transaction, on a thread."""
        return await anyio.to_thread.run_sync(self._transact, work, limiter=self._limiter)

    def _transact(self, work: Callable[[sql.Connection], T]) -> T:
        try:
            if not self._ready:
                with self._engine.begin() as connection:
                    sql.create_table(connection)
                self._ready = True
            with self._engine.begin() as connection:
                return work(connection)
        except sql.SQLAlchemyError as error:
            where = self._engine.url.render_as_string(hide_password=True)
            cause = str(error.__cause__ or error).strip().splitlines()[0]
            raise IndexUnavailable(f"The index at {where} failed: {cause}") from error


def _nearest(connection: sql.Connection, collection: str, unit: Vectors, k: int) -> list[tuple[IndexEntry, float]]:
    size = sql.dimensions_of(connection, collection)
    if size not in (None, len(unit)):
        raise other_size(collection, size, len(unit))
    return sql.select_nearest(connection, collection, unit, k)


def _upsert(connection: sql.Connection, collection: str, entries: Sequence[IndexEntry], units: Vectors) -> None:
    size = sql.dimensions_of(connection, collection)
    if size not in (None, units.shape[1]):
        raise other_size(collection, size, units.shape[1])
    sql.upsert_entries(connection, collection, entries, units)
