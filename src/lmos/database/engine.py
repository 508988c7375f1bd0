"""`Database`: one SQL engine per URL. Rooms that keep tables write and read through it.

Writes of a process go through one thread that commits what waits together, so a turn costs a fraction of a disk flush;
reads run on a few threads of their own and see what was committed when they began. It owns no table.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from lmos.database.base import BatchWork, DatabaseClosed, DatabaseError, Schema, Work
from lmos.database.migrations import upgrade
from lmos.database.sqlite import Synchronous, open_sqlite, sqlite_error
from lmos.database.writer import Writer

__all__ = ["Database"]

A = TypeVar("A")
T = TypeVar("T")

_CLOSED = "the database is closed; open it again"


class Database:
    """Tables behind one writer thread and a small pool of readers. Make one with `open`; close it when done."""

    def __init__(self, url: URL, writing: Engine, reading: Engine, readers: int) -> None:
        self._url = url
        self._writing = writing
        self._reading = reading
        self._translate = partial(sqlite_error, url)
        self._writer = Writer(writing, self._translate)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="lmos-database-reader")
        self._closed = False

    @classmethod
    def open(cls, url: str | Path, *, synchronous: Synchronous = "full", readers: int = 2) -> Self:
        """Open or create the database at `url`, a file path or `sqlite:///` URL. Blocks for some milliseconds.

        `synchronous` is `full` (a commit survives a power cut) or `normal` (it survives a crash of the process).
        Several processes may open one file. Raises `DatabaseError`.
        """
        if synchronous not in ("full", "normal"):
            raise DatabaseError(f"synchronous is {synchronous!r}; use 'full' or 'normal'")
        if readers < 1:
            raise DatabaseError(f"readers is {readers}; use at least 1")
        parsed = _parse(url)
        return cls(parsed, *open_sqlite(parsed, synchronous, readers), readers)

    @property
    def url(self) -> str:
        """Where the database is, without password."""
        return self._url.render_as_string()

    def require(self, schema: Schema) -> None:
        """Bring the tables of `schema` up to date, in one transaction. Blocks; next to nothing when they are.

        Raises `SchemaTooNew` when a newer version of LMOS wrote them.
        """
        self._check_open()
        try:
            upgrade(self._reading, self._writing, schema)
        except DBAPIError as error:
            raise self._translate(error) from error

    async def write(self, work: Work[T]) -> T:
        """Run `work` in the writer thread and return its result once it is committed.

        What `work` raises is raised here and undoes its statements only; driver errors come as `DatabaseError`.
        `work` must be pure SQL: it may run twice. A cancelled caller does not undo the write.
        """
        return await self.enqueue(work)

    def enqueue(self, work: Work[T]) -> asyncio.Future[T]:
        """`write` without waiting. Works are committed in the order of these calls."""
        return self._writer.put(_each, work)

    def enqueue_batched(self, work: BatchWork[A, T], argument: A) -> asyncio.Future[T]:
        """Like `enqueue`, for hot paths: `work` gets the arguments of all neighbouring calls at once.

        It can then use one statement for all of them. When it raises, it runs again for each argument alone.
        """
        return self._writer.put(work, argument)

    async def read(self, work: Work[T]) -> T:
        """Run `work`, which only reads, on one snapshot of the database and return its result."""
        self._check_open()
        try:
            found = asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)
        except RuntimeError as error:  # another thread closes the database just now
            raise DatabaseClosed(_CLOSED) from error
        return await found

    async def aclose(self) -> None:
        """`close` without blocking the event loop."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Commit what waits, end the threads and close the connections. Safe to call twice."""
        self._closed = True
        self._writer.close()
        self._readers.shutdown()
        self._reading.dispose()
        self._writing.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise DatabaseClosed(_CLOSED)

    def _read(self, work: Work[T]) -> T:
        try:
            with self._reading.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            raise self._translate(error) from error


def _each(connection: Connection, works: Sequence[Work[Any]]) -> list[Any]:
    return [work(connection) for work in works]


def _parse(url: str | Path) -> URL:
    if isinstance(url, os.PathLike):
        return URL.create("sqlite", database=str(url))
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseError(f"database URL {url!r} cannot be read; write sqlite:///FOLDER/lmos.db") from error
    if parsed.get_backend_name() != "sqlite":
        raise DatabaseError(f"database URL {parsed.render_as_string()!r}: this version speaks sqlite:/// only")
    return parsed
