"""Upgrades of a room's tables, with revisions written for the test."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from lmos.database.base import DatabaseClosed, DatabaseError, Schema, SchemaTooNew
from lmos.database.engine import Database

_REVISION = """
from alembic import op
revision = {revision!r}
down_revision = {down!r}
def upgrade():
    op.execute({sql!r})
"""


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    folder = tmp_path / "100% revisions"
    folder.mkdir()
    _write(folder, "r1", None, "create table things(name text)")
    return folder


def _write(folder: Path, revision: str, down: str | None, sql: str) -> None:
    (folder / f"{revision}.py").write_text(_REVISION.format(revision=revision, down=down, sql=sql))


def _columns(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    names = [row[1] for row in connection.execute("pragma table_info(things)")]
    connection.close()
    return names


def _upgrade(path: Path, schema: Schema) -> None:
    db = Database.open(path)
    try:
        db.require(schema)
    finally:
        db.close()


def test_a_new_database_gets_the_tables(tmp_path: Path, versions: Path) -> None:
    _upgrade(tmp_path / "x.db", Schema("shop", "r1", versions))
    assert _columns(tmp_path / "x.db") == ["name"]


def test_an_older_database_is_upgraded_and_keeps_its_rows(tmp_path: Path, versions: Path) -> None:
    path = tmp_path / "x.db"
    _upgrade(path, Schema("shop", "r1", versions))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("insert into things values ('lamp')")
    _write(versions, "r2", "r1", "alter table things add column price int")
    _upgrade(path, Schema("shop", "r2", versions))
    assert connection.execute("select * from things").fetchall() == [("lamp", None)]
    connection.close()


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(tmp_path: Path, versions: Path) -> None:
    path = tmp_path / "x.db"
    _upgrade(path, Schema("shop", "r1", versions))
    _write(versions, "r2", "r1", "alter table things add column price int")
    _write(versions, "r3", "r2", "alter table missing add column price int")
    with pytest.raises(DatabaseError, match="no such table") as caught:
        _upgrade(path, Schema("shop", "r3", versions))
    assert isinstance(caught.value.__cause__, OperationalError)
    assert _columns(path) == ["name"]


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path, versions: Path) -> None:
    path = tmp_path / "x.db"
    _write(versions, "r2", "r1", "alter table things add column price int")
    _upgrade(path, Schema("shop", "r2", versions))
    (versions / "r2.py").unlink()
    with pytest.raises(SchemaTooNew, match=r"shop tables are at revision 'r2'.*upgrade this installation"):
        _upgrade(path, Schema("shop", "r1", versions))


def test_rooms_upgrade_apart(tmp_path: Path, versions: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    _write(others, "r1", None, "create table parcels(name text)")
    _upgrade(tmp_path / "x.db", Schema("shop", "r1", versions))
    _upgrade(tmp_path / "x.db", Schema("post", "r1", others))
    connection = sqlite3.connect(tmp_path / "x.db")
    assert connection.execute("select * from parcels").fetchall() == []
    connection.close()


def test_two_that_open_a_new_file_at_once_upgrade_it_once(tmp_path: Path, versions: Path) -> None:
    start = threading.Barrier(4, timeout=10)
    errors: list[Exception] = []

    def run() -> None:
        start.wait()
        try:
            _upgrade(tmp_path / "x.db", Schema("shop", "r1", versions))
        except DatabaseError as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert errors == []
    assert _columns(tmp_path / "x.db") == ["name"]


def test_a_current_database_opens_without_alembic(tmp_path: Path, versions: Path) -> None:
    path = tmp_path / "x.db"
    _upgrade(path, Schema("shop", "r1", versions))
    script = (
        "import sys; from pathlib import Path; from lmos.database.base import Schema; "
        "from lmos.database.engine import Database; db = Database.open(Path(sys.argv[1])); "
        "db.require(Schema('shop', 'r1', Path(sys.argv[2]))); db.close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(versions)], capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stdout.strip() == "False"


def test_a_closed_database_is_not_upgraded(tmp_path: Path, versions: Path) -> None:
    db = Database.open(tmp_path / "x.db")
    db.close()
    with pytest.raises(DatabaseClosed):
        db.require(Schema("shop", "r1", versions))
