"""`Prepared`: a statement that SQLAlchemy compiles once and the driver's own cursor runs.

For the few statements on the path of every turn: executing through SQLAlchemy costs several times what SQLite needs for
them. A room writes its statements in SQLAlchemy all the same, so they stay portable. Values go to the driver as they
are: columns of text and integers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement

__all__ = ["Prepared"]

Row = Mapping[str, Any]


class _Compiled:
    """SQL text of one dialect, the order of its parameters, and those that the statement itself sets."""

    def __init__(self, statement: ClauseElement, dialect: Dialect, columns: Sequence[str] | None) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
        self.sql: Final = str(compiled)
        self.names: Final[Sequence[str] | None] = compiled.positiontup if compiled.positional else None
        self.fixed: Final = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}

    def values(self, row: Row) -> Any:
        whole = {**self.fixed, **row}
        return whole if self.names is None else [whole[name] for name in self.names]


class Prepared:
    """`statement` with named parameters; `columns` are those that an insert sets. Use it in a begun transaction.

    Raises `DBAPIError`, as SQLAlchemy does, for what the driver raises, and `KeyError` for a missing parameter.
    """

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Execute once for each of `rows`; returns how many rows of the table were touched."""
        compiled = self._for(connection)
        values = [compiled.values(row) for row in rows]
        cursor = connection.connection.cursor()
        try:
            cursor.executemany(compiled.sql, values)
            return cursor.rowcount
        except connection.dialect.loaded_dbapi.Error as error:
            raise DBAPIError(compiled.sql, None, error) from error
        finally:
            cursor.close()

    def fetch(self, connection: Connection, row: Row) -> list[tuple[Any, ...]]:
        """Execute with the parameters `row`; returns all rows that it finds."""
        compiled = self._for(connection)
        cursor = connection.connection.cursor()
        try:
            cursor.execute(compiled.sql, compiled.values(row))
            return list(cursor.fetchall())
        except connection.dialect.loaded_dbapi.Error as error:
            raise DBAPIError(compiled.sql, None, error) from error
        finally:
            cursor.close()

    def _for(self, connection: Connection) -> _Compiled:
        dialect = connection.dialect
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _Compiled(self._statement, dialect, self._columns)
        return found
