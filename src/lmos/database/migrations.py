"""Brings the tables of a room up to date by Alembic, each room with its own revisions and its own version table.

Alembic costs a third of a second to import, so a database that is current is recognised without it.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, inspect, select

from lmos.database.base import Schema, SchemaTooNew

__all__ = ["upgrade", "version_table"]

_ENVIRONMENT: Final = Path(__file__).parent / "alembic"


def version_table(schema: Schema) -> str:
    """Name of the table in which Alembic keeps the revision of this room's tables."""
    return f"{schema.room}_revision"


def upgrade(reading: Engine, writing: Engine, schema: Schema) -> None:
    """Run the revisions of `schema` that the database lacks, all or none.

    Raises `SchemaTooNew`. The transaction of `writing` holds the write lock from the start, so that of two processes
    one upgrades and the other finds it done.
    """
    with reading.begin() as connection:
        if _revision(connection, schema) == schema.head:
            return
    with writing.begin() as connection:
        found = _revision(connection, schema)
        if found != schema.head:
            _run_revisions(connection, schema, found)


def _revision(connection: Connection, schema: Schema) -> str | None:
    name = version_table(schema)
    if not inspect(connection).has_table(name):
        return None
    table = Table(name, MetaData(), Column("version_num", String))
    return connection.execute(select(table.c.version_num)).scalar_one_or_none()


def _run_revisions(connection: Connection, schema: Schema, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection, "version_table": version_table(schema)})
    config.set_main_option("script_location", _escaped(_ENVIRONMENT))
    config.set_main_option("version_locations", _escaped(schema.versions))
    config.set_main_option("path_separator", "newline")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaTooNew(
            f"the {schema.room} tables are at revision {found!r}, which LMOS {version('lmos')} does not know: a newer "
            "version wrote them; upgrade this installation or choose another data folder"
        )
    command.upgrade(config, schema.head)


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")  # the config file format interpolates percent signs
