"""The cache and its informer, in virtual time, on a real SQLite store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import looptime
import pytest
from structlog.testing import capture_logs

from lmos.database.engine import Database
from lmos.operator import reasons
from lmos.operator.base import ALL_NAMESPACES
from lmos.operator.cache import Cache, Informer
from lmos.operator.sqlite import SqliteStore
from lmos.resources.agent import Agent
from lmos.testing.clock import VirtualClock
from tests.operator.builders import agent, channel
from tests.operator.flaky import FlakyStore

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


def _at(version: int, *, name: str = "a", capability: str = "x") -> Agent:
    return agent(name, (capability, "1.0.0")).with_meta(resource_version=str(version))


def _by_capability() -> Cache[Agent]:
    return Cache(Agent, {"capability": lambda found: [c.name for c in found.spec.provided_capabilities]})


async def test_an_older_object_does_not_replace_a_newer_one() -> None:
    cache = Cache(Agent)
    newer = _at(5)
    cache.put(newer)
    assert cache.put(_at(4)) is None
    assert cache.put(_at(5)) is None
    assert cache.get(("default", "a")) is newer


async def test_a_deleted_object_does_not_come_back_when_it_is_told_late() -> None:
    cache = Cache(Agent)
    cache.put(_at(4))
    cache.remove(("default", "a"), 6)
    assert cache.put(_at(5)) is None
    assert cache.put(_at(7)) is not None


async def test_a_deletion_may_be_told_before_the_object() -> None:
    cache = Cache(Agent)
    assert cache.remove(("default", "a"), 6) is None
    assert cache.put(_at(5)) is None
    assert len(cache) == 0


async def test_only_the_latest_deletions_are_remembered() -> None:
    cache = Cache(Agent)
    for number in range(1001):
        cache.remove(("default", f"a{number}"), 2 + number)
    assert cache.put(_at(1, name="a1000")) is None
    assert cache.put(_at(1, name="a0")) is not None


async def test_put_tells_the_old_and_the_new_object() -> None:
    cache = Cache(Agent)
    first, second = _at(1), _at(2)
    assert cache.put(first) == (None, first)
    assert cache.put(second) == (first, second)


async def test_indices_follow_the_object() -> None:
    cache = _by_capability()
    cache.put(_at(1, capability="x"))
    cache.put(_at(2, capability="y"))
    assert cache.by_index("capability", "x") == ()
    assert [found.metadata.name for found in cache.by_index("capability", "y")] == ["a"]
    cache.remove(("default", "a"), 3)
    assert cache.by_index("capability", "y") == ()


async def test_an_object_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="cache of Agent objects cannot hold channel/"):
        Cache(Agent).put(channel(("x", "*")))


async def test_managed_fields_are_not_kept() -> None:
    cache = Cache(Agent)
    cache.put(_at(1).with_meta(managed_fields=({"manager": "kubectl"},)))
    found = cache.get(("default", "a"))
    assert found is not None
    assert found.metadata.managed_fields == ()


async def test_removing_an_old_version_spares_an_object_that_was_created_again() -> None:
    cache = Cache(Agent)
    cache.put(_at(7))
    assert cache.remove(("default", "a"), 6) is None
    assert len(cache) == 1


async def test_our_own_write_is_known_before_the_watch_tells_it() -> None:
    cache = Cache(Agent)
    cache.reach("default", 3)
    cache.record(_at(4))
    assert len(cache) == 1


async def test_our_own_write_does_not_bring_back_what_the_watch_saw_go() -> None:
    cache = Cache(Agent)
    cache.put(_at(4))
    cache.remove(("default", "a"), 5)
    cache.reach(ALL_NAMESPACES, 5)
    cache.record(_at(4))
    assert len(cache) == 0


# --- informer ------------------------------------------------------------------------------------------------------


@dataclass
class Feed:
    """An informer of Agents, its store, and the names of what it reported."""

    store: SqliteStore
    seen: FlakyStore
    cache: Cache[Agent] = field(default_factory=_by_capability)
    added: list[str] = field(default_factory=list[str])
    modified: list[str] = field(default_factory=list[str])
    removed: list[str] = field(default_factory=list[str])

    def note(self, old: Agent | None, new: Agent | None) -> None:
        if new is None:
            assert old is not None
            self.removed.append(old.metadata.name)
        elif old is None:
            self.added.append(new.metadata.name)
        else:
            self.modified.append(new.metadata.name)

    async def put(self, *agents: Agent) -> None:
        for found in agents:
            await self.store.apply(found, field_manager="test")

    async def remove(self, name: str) -> None:
        assert await self.store.delete("Agent", "default", name)

    @asynccontextmanager
    async def running(self, namespace: str = ALL_NAMESPACES) -> AsyncGenerator[Informer[Agent], None]:
        informer = Informer(self.seen, self.cache, namespace, self.note)
        task = asyncio.create_task(informer.run())
        try:
            yield informer
        finally:
            task.cancel()
            await asyncio.wait((task,))
            assert task.cancelled()


@pytest.fixture
async def feed(tmp_path: Path) -> AsyncIterator[Feed]:
    database = Database.open(tmp_path / "lmos.db", synchronous="normal")
    store = SqliteStore(database, VirtualClock())
    yield Feed(store, FlakyStore(store))
    await store.aclose()
    await database.aclose()


async def test_an_informer_lists_and_then_follows(feed: Feed) -> None:
    await feed.put(agent("a"))
    async with feed.running() as informer:
        await informer.caught_up()
        await feed.put(agent("b"), agent("a", ("x", "1.0.0")))
        await feed.remove("b")
        await informer.caught_up()
    assert (feed.added, feed.modified, feed.removed) == (["a", "b"], ["a"], ["b"])


async def test_an_informer_of_one_namespace_sees_no_other(feed: Feed) -> None:
    await feed.put(agent("a"), agent("far", namespace="far"))
    async with feed.running("far") as informer:
        await feed.put(agent("b"), agent("farther", namespace="far"))
        await informer.caught_up()
    assert feed.added == ["far", "farther"]


async def test_after_a_fault_the_watch_goes_on_where_it_stopped(feed: Feed) -> None:
    await feed.put(agent("a"))
    async with feed.running() as informer:
        await informer.caught_up()
        feed.seen.disconnect()
        await feed.put(agent("b"))
        await feed.remove("a")
        await asyncio.sleep(5)
        assert not informer.connected
        feed.seen.reconnect()
        await informer.caught_up()
    assert (feed.added, feed.modified, feed.removed) == (["a", "b"], [], ["a"])


async def test_after_an_expired_watch_only_the_differences_are_told(feed: Feed) -> None:
    await feed.put(agent("gone"), agent("kept"), agent("changed"), agent("born-again"))
    async with feed.running() as informer:
        await informer.caught_up()
        feed.added.clear()
        feed.seen.disconnect()
        await feed.remove("gone")
        await feed.remove("born-again")
        await feed.put(agent("changed", ("x", "1.0.0")), agent("born-again"), agent("new"))
        feed.seen.reconnect("Agent")
        with capture_logs() as logs:
            await informer.caught_up()
    assert (feed.added, feed.modified, feed.removed) == (["new"], ["born-again", "changed"], ["gone"])
    assert [line["event"] for line in logs].count(reasons.EVENT_WATCH_EXPIRED) == 1
    assert sorted(name for _, name in feed.cache.names()) == ["born-again", "changed", "kept", "new"]


async def test_a_pruned_change_log_is_survived(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "lmos.db", synchronous="normal")
    store = SqliteStore(database, VirtualClock(), retained_changes=10)
    feed = Feed(store, FlakyStore(store))
    await feed.put(agent("gone"))
    async with feed.running() as informer:
        await informer.caught_up()
        feed.seen.disconnect()
        await feed.remove("gone")
        for number in range(40):
            await feed.put(agent("busy", ("x", f"1.0.{number}")))
        feed.seen.reconnect()
        await informer.caught_up()
    assert feed.removed == ["gone"]
    assert feed.cache.names() == (("default", "busy"),)
    await store.aclose()
    await database.aclose()


async def test_attempts_slow_down_while_the_store_is_away_and_recover(feed: Feed) -> None:
    feed.seen.disconnect()
    async with feed.running() as informer:
        await asyncio.sleep(120)
        pauses = [round(after - before, 3) for before, after in pairwise(feed.seen.refused_at)]
        assert pauses[:4] == [0.2, 0.4, 0.8, 1.6]
        assert pauses[-1] == 30.0
        feed.seen.reconnect()
        await asyncio.sleep(60)
        assert informer.connected
        feed.seen.refused_at.clear()
        feed.seen.disconnect()
        await asyncio.sleep(1)
        pauses = [round(after - before, 3) for before, after in pairwise(feed.seen.refused_at)]
        assert pauses[:1] == [0.4]


async def test_a_fault_is_logged_once_for_each_reason_and_time(feed: Feed) -> None:
    with capture_logs() as logs:
        async with feed.running():
            await asyncio.sleep(10)
            for _ in range(2):
                feed.seen.disconnect()
                await asyncio.sleep(600)
                feed.seen.reconnect()
                await asyncio.sleep(60)
    told = [(line["event"], line["error"]) for line in logs]
    assert told == [(reasons.EVENT_WATCH_FAILED, "connection lost"), (reasons.EVENT_WATCH_FAILED, "not connected")] * 2


async def test_a_quiet_watch_counts_as_connected_after_a_while(feed: Feed) -> None:
    async with feed.running() as informer:
        await informer.caught_up()
        feed.seen.disconnect()
        await asyncio.sleep(0.1)
        feed.seen.reconnect()
        assert not informer.connected
        await asyncio.sleep(2)
        assert informer.connected
