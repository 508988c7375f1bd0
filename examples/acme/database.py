"""The telco's SQLite database, which the agents' tools read and write. A real one: made from the SQL beside this file.

The file is `ACME_DATABASE`, or `acme.db` in the platform's data folder. Every call opens a connection of its own, so
tools may run in any thread and agents in any process.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from lmos import Turn
from lmos.agents.errors import ToolError

__all__ = ["Row", "connect", "customer", "database_path", "day", "euros", "month_name"]

Row = sqlite3.Row
_HERE = Path(__file__).parent


def database_path() -> Path:
    """Where the database is, or will be."""
    return Path(os.environ.get("ACME_DATABASE") or Path(os.environ.get("LMOS_DATA", ".lmos"), "acme.db"))


@contextmanager
def connect() -> Generator[sqlite3.Connection]:
    """A connection in a transaction: committed at the end of the block, rolled back if it raises."""
    path = database_path()
    if not path.exists():
        _create(path)
    with closing(sqlite3.connect(path, timeout=5)) as db, db:
        db.row_factory = Row
        db.execute("PRAGMA foreign_keys = ON")
        yield db


def customer(db: sqlite3.Connection, turn: Turn) -> Row:
    """The customer who speaks. Raises `ToolError` naming the tenant's customers when there is no such one."""
    key = (turn.tenant, turn.user_id)
    row = db.execute("SELECT * FROM customers WHERE tenant = ? AND id = ?", key).fetchone()
    if row is None:
        known = db.execute("SELECT group_concat(id, ', ') FROM customers WHERE tenant = ?", key[:1]).fetchone()[0]
        raise ToolError(f"{turn.tenant} has no customer {turn.user_id!r}; in this example there are: {known}.")
    return row


def euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d} EUR"


def day(iso: str) -> str:
    """`2026-04-14` as `14 April 2026`."""
    return f"{date.fromisoformat(iso):%-d %B %Y}"


def month_name(month: str) -> str:
    """`2026-03` as `March 2026`."""
    return f"{date.fromisoformat(f'{month}-01'):%B %Y}"


def _create(path: Path) -> None:
    """Build the database beside its place and link it there whole: two processes may start at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder, "acme.db")
        with closing(sqlite3.connect(fresh)) as db:
            for name in ("schema.sql", "data.sql"):
                db.executescript((_HERE / name).read_text(encoding="utf-8"))
        with suppress(FileExistsError):
            os.link(fresh, path)
