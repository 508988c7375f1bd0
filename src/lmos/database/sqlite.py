"""SQLite behind the engine: connections, their settings, and what its errors mean.

Only `engine.py` uses it. PostgreSQL would be a sibling of this module with the same two functions.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from lmos.database.base import DatabaseBusy, DatabaseError

__all__ = ["BUSY_SECONDS", "Synchronous", "open_sqlite", "sqlite_error"]

Synchronous = Literal["full", "normal"]

BUSY_SECONDS: Final = 5.0
"""How long a statement waits for the lock of another process."""

_FIXES: Final = {
    "SQLITE_NOTADB": "it is no SQLite database; choose another data folder or move the file away",
    "SQLITE_CORRUPT": "the file is damaged; restore it from a backup or move it away",
    "SQLITE_CANTOPEN": "the file cannot be opened; check that its folder exists and may be written",
    "SQLITE_READONLY": "the file is read-only; check its permissions",
    "SQLITE_FULL": "the disk is full; free some space",
}


def open_sqlite(url: URL, synchronous: Synchronous, readers: int) -> tuple[Engine, Engine]:
    """The engines for writing (two connections) and reading (`readers` connections) of one file.

    Raises `DatabaseError` for an in-memory database and for a file that cannot be opened.
    """
    if url.database in (None, "", ":memory:"):
        raise DatabaseError(
            f"database URL {str(url)!r}: an in-memory database cannot be shared between connections; "
            "name a file, as in sqlite:///lmos.db"
        )
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"data folder {str(path.parent)!r} cannot be made: {error.strerror}; choose another"
        ) from error
    # One is kept by the writer thread, the other is for migrations.
    writer = _engine(url, 2, f"PRAGMA synchronous={synchronous}", "BEGIN IMMEDIATE")
    reader = _engine(url, readers, "PRAGMA query_only=on", "BEGIN")
    try:
        with writer.connect() as connection:
            _enter_wal(connection)
    except DBAPIError as error:
        writer.dispose()
        raise sqlite_error(url, error) from error
    return writer, reader


def sqlite_error(url: URL, error: DBAPIError) -> DatabaseError:
    """What a driver's error means to a caller."""
    code = getattr(error.orig, "sqlite_errorname", "") or ""
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return DatabaseBusy(
            f"database {url.database!r}: another process has held its write lock for {BUSY_SECONDS:g} s; try again, "
            "or end that process"
        )
    fix = next((text for name, text in _FIXES.items() if code.startswith(name)), None)
    return DatabaseError(f"database {url.database!r}: {fix or error.orig} ({code or type(error.orig).__name__})")


def _engine(url: URL, connections: int, setting: str, begin: str) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        # isolation_level=None: transactions begin by our own statement, since a write transaction must take its lock
        # at once (a later upgrade from reading fails without waiting), and since DDL must be part of it.
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False},
    )

    def on_connect(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        connection.execute("PRAGMA foreign_keys=on")
        connection.execute(setting)

    def on_begin(connection: Connection) -> None:
        raw: Any = connection.connection.driver_connection
        try:
            raw.execute(begin)
        except sqlite3.Error as error:
            raise DBAPIError(begin, None, error) from error

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _enter_wal(connection: Connection) -> None:
    """Switch the file to a write-ahead log, once in its life: readers and the writer then never wait for each other.

    SQLite does not wait for locks here when two processes open a new file at once, so try until `BUSY_SECONDS`.
    """
    raw: Any = connection.connection.driver_connection
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            (mode,) = raw.execute("PRAGMA journal_mode=wal").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith("SQLITE_BUSY") and time.monotonic() < deadline:
                time.sleep(0.01)
                continue
            raise DBAPIError("PRAGMA journal_mode=wal", None, error) from error
        if mode != "wal":
            raise DatabaseError(f"the file system cannot hold a write-ahead log (mode {mode!r}); use a local disk")
        return
