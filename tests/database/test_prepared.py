"""Statements that the driver runs: same rows and same errors as through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from lmos.database.prepared import Prepared

metadata = MetaData()
things = Table(
    "things", metadata, Column("name", String, primary_key=True), Column("size", Integer), Column("note", String)
)
INSERT = Prepared(insert(things), ("name", "size"))
SELECT = Prepared(
    select(things.c.name, things.c.size).where(things.c.size >= bindparam("least")).order_by(things.c.name)
)
SHRINK = Prepared(update(things).where(things.c.size > bindparam("most")).values(size=bindparam("to"), note=None))


@pytest.fixture
def connection(tmp_path: Path) -> Generator[Connection]:
    engine = create_engine(f"sqlite:///{tmp_path / 'things.db'}")
    with engine.connect() as found:
        metadata.create_all(found)
        INSERT.run(found, [{"name": "a", "size": 1}, {"name": "b", "size": 5}, {"name": "c", "size": 9}])
        yield found
    engine.dispose()


def test_rows_are_found_by_named_parameters(connection: Connection) -> None:
    assert SELECT.fetch(connection, {"least": 5}) == [("b", 5), ("c", 9)]


def test_a_change_tells_how_many_rows_it_touched(connection: Connection) -> None:
    assert SHRINK.run(connection, [{"most": 4, "to": 4}, {"most": 100, "to": 0}]) == 2


def test_a_value_that_the_statement_sets_itself_may_be_null(connection: Connection) -> None:
    connection.execute(update(things).values(note="old"))
    SHRINK.run(connection, [{"most": 0, "to": 0}])

    assert connection.execute(select(things.c.note).distinct()).scalars().all() == [None]


def test_what_the_driver_raises_comes_as_sqlalchemys_error(connection: Connection) -> None:
    with pytest.raises(DBAPIError, match="UNIQUE"):
        INSERT.run(connection, [{"name": "a", "size": 2}])


def test_a_missing_parameter_is_named(connection: Connection) -> None:
    with pytest.raises(KeyError, match="least"):
        SELECT.fetch(connection, {})


def test_a_change_is_part_of_the_connections_transaction(connection: Connection) -> None:
    connection.commit()
    transaction = connection.begin()
    SHRINK.run(connection, [{"most": 0, "to": 0}])
    transaction.rollback()

    assert SELECT.fetch(connection, {"least": 1}) == [("a", 1), ("b", 5), ("c", 9)]
