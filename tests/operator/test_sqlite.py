"""The embedded store's own ways: its errors, bookmarks, closing, restarts, and that revisions and tables agree."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from lmos.clock import SystemClock
from lmos.database.engine import Database
from lmos.database.migrations import version_table
from lmos.operator import changes, sql, sqlite
from lmos.operator.base import ALL_NAMESPACES, Conflict, ResourceExpired, StoreError, WatchEvent
from lmos.operator.sqlite import SqliteStore
from lmos.resources.agent import Agent
from lmos.resources.base import ObjectMeta, OwnerReference
from lmos.resources.channel import Channel, ChannelSpec
from lmos.resources.routing import ChannelRouting

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = Database.open(tmp_path / "lmos.db", synchronous="normal")
    yield db
    await db.aclose()


@pytest.fixture
async def store(db: Database) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(db, SystemClock())
    yield store
    await store.aclose()


class StoppedClock(SystemClock):
    """Always the same moment and id."""

    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def new_id(self) -> str:
        return "id-1"


def agent(name: str = "a") -> Agent:
    return Agent(metadata=ObjectMeta(name=name))


def routing(*owner_uids: str) -> ChannelRouting:
    owners = tuple(OwnerReference(kind="Channel", name="web", uid=uid) for uid in owner_uids)
    return ChannelRouting(metadata=ObjectMeta(name="web", owner_references=owners))


async def watch_once(store: SqliteStore, since: str) -> WatchEvent:
    return await anext(store.watch("Agent", ALL_NAMESPACES, since))


async def test_ids_and_times_come_from_the_injected_clock(db: Database) -> None:
    store = SqliteStore(db, StoppedClock())
    applied = await store.apply(agent(), field_manager="test")
    assert applied.metadata.uid == "id-1"
    assert applied.metadata.creation_timestamp == "2026-01-02T03:04:05Z"


async def test_own_writes_are_told_without_polling(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "POLL_SECONDS", 3600)
    watch = asyncio.create_task(watch_once(store, "0"))
    await asyncio.sleep(0.05)
    await store.apply(agent(), field_manager="test")
    async with asyncio.timeout(5):
        assert (await watch).type == "added"


async def test_a_watch_that_lags_behind_gets_every_change_in_order(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_PAGE", 2)
    for number in range(5):
        await store.apply(agent(f"a{number}"), field_manager="test")
    watch = store.watch("Agent", ALL_NAMESPACES, "0")
    told = [await anext(watch) for _ in range(5)]
    assert [event.resource_version for event in told] == ["1", "2", "3", "4", "5"]
    await watch.aclose()


async def test_all_watches_share_one_poller_that_ends_with_the_last(store: SqliteStore) -> None:
    def pollers() -> int:
        return sum(task.get_name() == "store poller" for task in asyncio.all_tasks())

    watches = [asyncio.create_task(watch_once(store, "0")) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert pollers() == 1
    for watch in watches:
        watch.cancel()
    await asyncio.wait(watches)
    await asyncio.sleep(0.05)
    assert pollers() == 0


async def test_an_object_whose_owners_are_gone_is_refused(store: SqliteStore) -> None:
    with pytest.raises(Conflict, match=r"its owner channel/web \(uid gone\) does not exist"):
        await store.apply(routing("gone"), field_manager="test")


async def test_an_object_may_be_owned_by_one_that_exists_and_one_that_is_gone(store: SqliteStore) -> None:
    web = Channel(metadata=ObjectMeta(name="web"), spec=ChannelSpec(required_capabilities=()))
    owner = await store.apply(web, field_manager="test")
    applied = await store.apply(routing("gone", owner.metadata.uid or ""), field_manager="test")
    assert applied.metadata.resource_version


async def test_finalizers_are_refused(store: SqliteStore) -> None:
    with pytest.raises(StoreError, match="leave the finalizers out"):
        await store.apply(agent().with_meta(finalizers=("x/y",)), field_manager="test")


async def test_a_kind_without_status_has_none_to_write(store: SqliteStore) -> None:
    with pytest.raises(StoreError, match="ChannelRouting has no status"):
        await store.update_status(routing(), field_manager="test")


@pytest.mark.parametrize("since", ["", "-1", "1.5", "abc", "²"])
async def test_a_version_that_no_store_gave_is_refused(store: SqliteStore, since: str) -> None:
    with pytest.raises(StoreError, match="take the one that list returned"):
        await watch_once(store, since)


async def test_a_version_of_a_file_that_was_replaced_is_expired(store: SqliteStore) -> None:
    with pytest.raises(ResourceExpired, match="list again"):
        await watch_once(store, "999")


async def test_a_watch_of_a_quiet_kind_gets_bookmarks_while_others_change(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BOOKMARK_SECONDS", 0.05)
    applied = await store.apply(routing(), field_manager="test")
    event = await watch_once(store, "0")
    assert event == WatchEvent("bookmark", applied.metadata.resource_version or "")


async def test_closing_the_store_ends_its_watches(store: SqliteStore) -> None:
    watch = asyncio.create_task(watch_once(store, "0"))
    await asyncio.sleep(0.05)
    await store.aclose()
    with pytest.raises(StoreError, match="was closed while it was watched"):
        await watch


async def test_a_watch_ends_with_an_error_when_the_database_goes_away(db: Database, store: SqliteStore) -> None:
    watch = asyncio.create_task(watch_once(store, "0"))
    await asyncio.sleep(0.05)
    await db.aclose()
    with pytest.raises(StoreError, match="the database is closed"):
        await watch


async def test_a_fault_of_the_database_is_a_store_error(db: Database, store: SqliteStore) -> None:
    await db.aclose()
    with pytest.raises(StoreError, match="the database is closed"):
        await store.apply(agent(), field_manager="test")
    with pytest.raises(StoreError, match="the database is closed"):
        await store.get("Agent", "default", "a")


async def test_an_object_with_fields_of_a_newer_version_is_named_in_the_error(
    store: SqliteStore, tmp_path: Path
) -> None:
    await store.apply(agent(), field_manager="test")
    with closing(sqlite3.connect(tmp_path / "lmos.db", isolation_level=None)) as connection:
        connection.execute("update objects set body = json_set(body, '$.spec.mood', 'sunny')")
    with pytest.raises(StoreError, match=r"stored Agent cannot be read: spec\.mood: .*Upgrade"):
        await store.list("Agent", "default")


async def test_who_wrote_is_recorded(store: SqliteStore, tmp_path: Path) -> None:
    await store.apply(agent(), field_manager="alice")
    with closing(sqlite3.connect(tmp_path / "lmos.db")) as connection:
        assert connection.execute("select manager from objects").fetchall() == [("alice",)]


async def test_watches_resume_after_a_restart(tmp_path: Path) -> None:
    async def session(name: str) -> str:
        db = Database.open(tmp_path / "again.db")
        store = SqliteStore(db, SystemClock())
        applied = await store.apply(agent(name), field_manager="test")
        event = await watch_once(store, "0")
        assert event.resource is not None
        assert event.resource.metadata.name == "first"
        await store.aclose()
        await db.aclose()
        return applied.metadata.resource_version or ""

    assert int(await session("first")) < int(await session("second"))


async def test_the_change_log_stays_bounded(db: Database, tmp_path: Path) -> None:
    store = SqliteStore(db, SystemClock(), retained_changes=20)
    for i in range(100):
        await store.apply(agent().with_meta(labels={"i": str(i)}), field_manager="test")
    with closing(sqlite3.connect(tmp_path / "lmos.db")) as connection:
        (count,) = connection.execute("select count(*) from changes").fetchone()
    assert 20 <= count <= 22


async def test_revisions_and_tables_agree(db: Database, store: SqliteStore) -> None:
    del store
    differences = await db.read(
        lambda connection: compare_metadata(
            MigrationContext.configure(connection, opts={"include_name": _is_ours}), sql.metadata
        )
    )
    assert differences == []


def _is_ours(name: str | None, kind: str, _: object) -> bool:
    return kind != "table" or name != version_table(sql.SCHEMA)
