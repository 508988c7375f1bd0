"""The engine over real SQLite files: group commit, isolation of failures, closing, other processes."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from lmos.database import sqlite, writer
from lmos.database.base import DatabaseBusy, DatabaseClosed, DatabaseError
from lmos.database.engine import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "lmos.db"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    db = Database.open(path, synchronous="normal")
    _create(path)
    yield db
    db.close()


@pytest.fixture
def other(db: Database, path: Path) -> Iterator[sqlite3.Connection]:
    """A connection past the engine, as another process has one."""
    del db
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


def _create(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("create table notes(note text primary key)")
    connection.close()


def _add(note: str) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        connection.execute(text("insert into notes values (:note)"), {"note": note})
        return note

    return work


def _notes(connection: Connection) -> list[str]:
    return list(connection.execute(text("select note from notes order by rowid")).scalars())


def _fails(connection: Connection) -> None:
    connection.execute(text("insert into notes values ('never')"))
    raise LookupError("no such thing")


class Gate:
    """A work that keeps the writer busy until `open`, so that what is queued meanwhile forms one batch."""

    def __init__(self, db: Database) -> None:
        self._open = threading.Event()
        entered = threading.Event()

        def work(connection: Connection) -> None:
            del connection
            entered.set()
            assert self._open.wait(10)

        self.done = db.enqueue(work)
        assert entered.wait(10)

    def open(self) -> None:
        self._open.set()


async def test_a_write_is_visible_to_readers_once_it_returns(db: Database) -> None:
    assert await db.write(_add("a")) == "a"
    assert await db.read(_notes) == ["a"]


async def test_works_are_committed_in_the_order_in_which_they_were_queued(db: Database) -> None:
    names = [f"{i:03}" for i in range(600)]
    await asyncio.gather(*[db.enqueue(_add(name)) for name in names])
    assert await db.read(_notes) == names


async def test_neighbours_with_the_same_batched_work_share_one_call(db: Database) -> None:
    calls: list[list[int]] = []

    def double(_: Connection, arguments: Sequence[int]) -> list[int]:
        calls.append(list(arguments))
        return [2 * n for n in arguments]

    gate = Gate(db)
    futures = [db.enqueue_batched(double, n) for n in range(5)]
    gate.open()
    assert await asyncio.gather(*futures) == [0, 2, 4, 6, 8]
    assert calls == [[0, 1, 2, 3, 4]]


async def test_a_batch_is_bounded(db: Database) -> None:
    sizes: list[int] = []

    def measure(_: Connection, arguments: Sequence[int]) -> Sequence[int]:
        sizes.append(len(arguments))
        return arguments

    gate = Gate(db)
    futures = [db.enqueue_batched(measure, n) for n in range(writer.MAX_BATCH + 10)]
    gate.open()
    await asyncio.gather(*futures)
    assert sizes == [writer.MAX_BATCH, 10]


async def test_a_work_that_raises_harms_no_other_of_its_batch(db: Database) -> None:
    gate = Gate(db)
    before, failed, after = db.enqueue(_add("before")), db.enqueue(_fails), db.enqueue(_add("after"))
    gate.open()
    assert (await before, await after) == ("before", "after")
    with pytest.raises(LookupError, match="no such thing"):
        await failed
    assert await db.read(_notes) == ["before", "after"]


async def test_a_batched_work_that_raises_fails_only_for_the_argument_at_fault(db: Database) -> None:
    def add_all(connection: Connection, notes: Sequence[str]) -> Sequence[str]:
        connection.execute(text("insert into notes values (:note)"), [{"note": note} for note in notes])
        return notes

    await db.write(_add("b"))
    gate = Gate(db)
    futures = [db.enqueue_batched(add_all, note) for note in ("a", "b", "c")]
    gate.open()
    first, second, third = await asyncio.gather(*futures, return_exceptions=True)
    assert (first, third) == ("a", "c")
    assert isinstance(second, DatabaseError)
    assert await db.read(_notes) == ["b", "a", "c"]


async def test_a_batched_work_that_returns_too_few_results_is_refused(db: Database) -> None:
    def forgets(_: Connection, arguments: Sequence[int]) -> list[int]:
        del arguments
        return []

    with pytest.raises(RuntimeError, match="returned 0 results for 1 arguments"):
        await db.enqueue_batched(forgets, 1)


async def test_a_driver_error_comes_as_database_error(db: Database) -> None:
    await db.write(_add("a"))
    with pytest.raises(DatabaseError, match="UNIQUE constraint failed"):
        await db.write(_add("a"))


async def test_a_work_may_even_raise_stop_iteration(db: Database) -> None:
    def stop(connection: Connection) -> None:
        del connection
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        await db.write(stop)


async def test_a_cancelled_caller_neither_undoes_its_write_nor_harms_others(db: Database) -> None:
    gate = Gate(db)
    cancelled = asyncio.ensure_future(db.write(_add("cancelled")))
    await asyncio.sleep(0)
    other = db.enqueue(_add("other"))
    cancelled.cancel()
    gate.open()
    assert await other == "other"
    assert cancelled.cancelled()
    assert await db.read(_notes) == ["cancelled", "other"]


def test_a_loop_that_ended_does_not_stop_the_writer(db: Database) -> None:
    async def leave_behind() -> Gate:
        gate = Gate(db)
        db.enqueue(_add("left"))
        return gate

    async def write_another() -> list[str]:
        await db.write(_add("next"))
        return await db.read(_notes)

    gate = asyncio.run(leave_behind())
    gate.open()
    assert asyncio.run(write_another()) == ["left", "next"]


def test_loops_of_several_threads_share_one_database(db: Database) -> None:
    async def write(name: str) -> None:
        await asyncio.gather(*[db.write(_add(f"{name}{i}")) for i in range(50)])

    threads = [threading.Thread(target=partial(asyncio.run, write(name))) for name in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(asyncio.run(db.read(_notes))) == 150


async def test_closing_writes_what_waits(db: Database, other: sqlite3.Connection) -> None:
    gate = Gate(db)
    waiting = db.enqueue(_add("last"))
    gate.open()
    await db.aclose()
    assert await waiting == "last"
    assert other.execute("select note from notes").fetchall() == [("last",)]


async def test_closing_twice_is_harmless(db: Database) -> None:
    await db.aclose()
    db.close()


@pytest.mark.parametrize("use", [Database.write, Database.read], ids=["write", "read"])
async def test_a_closed_database_says_so(
    db: Database, use: Callable[[Database, Callable[[Connection], list[str]]], Awaitable[list[str]]]
) -> None:
    db.close()
    with pytest.raises(DatabaseClosed, match="open it again"):
        await use(db, _notes)


async def test_more_waiting_writes_than_the_bound_are_refused(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_WAITING", 2)
    gate = Gate(db)
    accepted = [db.enqueue(_add("1")), db.enqueue(_add("2"))]
    with pytest.raises(DatabaseBusy, match="2 writes wait"):
        db.enqueue(_add("3"))
    gate.open()
    await asyncio.gather(*accepted)
    assert await db.write(_add("4")) == "4"


async def test_a_write_waits_for_the_lock_of_another_process(db: Database, other: sqlite3.Connection) -> None:
    other.execute("begin immediate")
    waiting = db.enqueue(_add("ours"))
    other.execute("insert into notes values ('theirs')")
    other.execute("commit")
    await waiting
    assert await db.read(_notes) == ["theirs", "ours"]


async def test_a_lock_that_another_process_keeps_is_reported(
    other: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    impatient = Database.open(path)
    other.execute("begin immediate")
    with pytest.raises(DatabaseBusy, match="another process has held its write lock"):
        await impatient.write(_add("a"))
    other.execute("rollback")
    assert await impatient.write(_add("b")) == "b"
    await impatient.aclose()


async def test_two_databases_on_one_file_write_side_by_side(db: Database, path: Path) -> None:
    second = Database.open(path)
    await asyncio.gather(*[one.write(_add(f"{n}-{i}")) for i in range(50) for n, one in enumerate((db, second))])
    assert len(await db.read(_notes)) == 100
    await second.aclose()


async def test_a_reader_sees_one_snapshot(db: Database, other: sqlite3.Connection) -> None:
    def twice(connection: Connection) -> tuple[list[str], list[str]]:
        before = _notes(connection)
        other.execute("insert into notes values ('meanwhile')")
        return before, _notes(connection)

    assert await db.read(twice) == ([], [])
    assert await db.read(_notes) == ["meanwhile"]


async def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises(DatabaseError, match="read"):
        await db.read(_add("a"))


async def test_reads_run_beside_each_other(db: Database) -> None:
    both = threading.Barrier(2, timeout=10)
    await asyncio.gather(*[db.read(lambda _: both.wait()) for _ in range(2)])


@pytest.mark.parametrize(("synchronous", "level"), [("full", 2), ("normal", 1)])
async def test_the_writer_has_the_durability_that_was_asked_for(path: Path, synchronous: str, level: int) -> None:
    db = Database.open(path, synchronous=synchronous)  # pyright: ignore[reportArgumentType]

    def pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert await db.write(pragmas) == ["wal", level, 1]
    await db.aclose()


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("sqlite://", {}, "name a file"),
        ("sqlite:///:memory:", {}, "name a file"),
        ("postgresql+psycopg://u:secret@h/db", {}, r"postgresql\+psycopg://u:\*\*\*@h/db.*sqlite:/// only"),
        ("no url", {}, "write sqlite:///FOLDER/lmos.db"),
        ("sqlite:///x.db", {"synchronous": "off"}, "use 'full' or 'normal'"),
        ("sqlite:///x.db", {"readers": 0}, "at least 1"),
    ],
    ids=["memory", "named memory", "postgresql", "no url", "synchronous", "readers"],
)
def test_what_cannot_be_opened_is_refused_with_the_fix(url: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(DatabaseError, match=message):
        Database.open(url, **options)  # pyright: ignore[reportArgumentType]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("dear diary, " * 100)
    with pytest.raises(DatabaseError, match="it is no SQLite database"):
        Database.open(tmp_path / "notes.txt")


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DatabaseError, match="choose another"):
        Database.open(tmp_path / "data" / "lmos.db")
