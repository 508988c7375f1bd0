"""What rooms that keep tables share with the engine: kinds of work, the description of a schema, errors.

    DatabaseError            a database cannot do what was asked; the message says what to do
    ├── DatabaseClosed       used after `close()`
    ├── DatabaseBusy         another process holds the write lock, or too many writes wait
    └── SchemaTooNew         written by a newer version of LMOS

This room knows no table and no room above it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from sqlalchemy import Connection

__all__ = [
    "BatchWork",
    "Connection",
    "DatabaseBusy",
    "DatabaseClosed",
    "DatabaseError",
    "Schema",
    "SchemaTooNew",
    "Work",
]

A = TypeVar("A")
R = TypeVar("R")

Work: TypeAlias = Callable[[Connection], R]
"""Statements of one caller, and what they found. Pure SQL: it may run twice, and its effects beyond SQL would too."""

BatchWork: TypeAlias = Callable[[Connection, Sequence[A]], Sequence[R]]
"""`Work` for many callers at once: one argument and one result for each, in order. May run twice, like `Work`."""


class DatabaseError(Exception):
    """A database cannot do what was asked; the message says what to do."""


class DatabaseClosed(DatabaseError):
    """The database was closed."""


class DatabaseBusy(DatabaseError):
    """Another process holds the write lock for too long, or too many writes wait. Try again later."""


class SchemaTooNew(DatabaseError):
    """The database was written by a newer version of LMOS than this one."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one room: where its Alembic version files lie, and the newest revision among them."""

    room: str
    head: str
    versions: Path
