"""What every `Store` must tell those who watch, run against each variant."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest

from lmos.operator.base import ALL_NAMESPACES, ResourceExpired, Store, StoreError
from lmos.resources.agent import Agent
from tests.operator.backends import Backend
from tests.operator.contract import RESOLVED, agent, apply, changes, channel, now, take, watching

pytestmark = pytest.mark.anyio


async def test_a_watch_tells_what_happened_in_order(store: Store) -> None:
    since = await now(store)
    await apply(store, agent("a"))
    await apply(store, agent("a", description="new"))
    await apply(store, agent("b"))
    await store.delete("Agent", "default", "a")
    async with aclosing(watching(store, "Agent", since)) as watch:
        events = await take(watch, 4)
    told = [(e.type, e.resource.metadata.name if e.resource else "") for e in events]
    assert told == [("added", "a"), ("modified", "a"), ("added", "b"), ("deleted", "a")]
    versions = [int(e.resource_version) for e in events]
    assert versions == sorted(set(versions))
    assert all(e.resource and e.resource.metadata.resource_version == e.resource_version for e in events)


async def test_a_deleted_event_carries_the_last_state(store: Store) -> None:
    await apply(store, agent("a", description="last"))
    since = await now(store)
    await store.delete("Agent", "default", "a")
    async with aclosing(watching(store, "Agent", since)) as watch:
        (event,) = await take(watch, 1)
    assert isinstance(event.resource, Agent)
    assert event.resource.spec.description == "last"


async def test_a_watch_resumes_after_the_version_it_has_seen(store: Store) -> None:
    since = await now(store)
    for name in "abc":
        await apply(store, agent(name))
    async with aclosing(watching(store, "Agent", since)) as watch:
        first, second = await take(watch, 2)
    assert await changes(store, "Agent", first.resource_version, 2) == [("added", "b"), ("added", "c")]
    assert await changes(store, "Agent", second.resource_version, 1) == [("added", "c")]


async def test_a_watch_tells_only_of_its_kind_and_namespace(store: Store) -> None:
    since = await now(store)
    await apply(store, channel("other-kind"))
    await apply(store, agent("elsewhere", namespace="n2"))
    await apply(store, agent("here", namespace="n1"))
    async with aclosing(watching(store, "Agent", since, "n1")) as watch:
        (event,) = await take(watch, 1)
    assert event.resource is not None
    assert event.resource.metadata.name == "here"


async def test_writes_that_change_nothing_are_not_told(store: Store) -> None:
    await apply(store, agent("a"))
    since = await now(store)
    await apply(store, agent("a"))
    await apply(store, agent("b"))
    assert await changes(store, "Agent", since, 1) == [("added", "b")]


async def test_a_status_write_is_told_as_modified(store: Store) -> None:
    await apply(store, channel())
    since = await now(store)
    await store.update_status(channel().model_copy(update={"status": RESOLVED}), field_manager="operator")
    assert await changes(store, "Channel", since, 1) == [("modified", "web")]


async def test_all_watches_hear_of_a_write_while_they_wait(store: Store) -> None:
    since = await now(store)
    waiting = [asyncio.create_task(changes(store, "Agent", since, 1)) for _ in range(10)]
    await asyncio.sleep(0.05)
    await apply(store, agent("a"))
    assert await asyncio.gather(*waiting) == [[("added", "a")]] * 10


async def test_list_and_watch_leave_no_gap(store: Store) -> None:
    names = [f"a{i:02}" for i in range(30)]
    writing = asyncio.gather(*[apply(store, agent(name)) for name in names])
    listing = await store.list("Agent", ALL_NAMESPACES)
    known = [a.metadata.name for a in listing.items]
    await writing
    told = await changes(store, "Agent", listing.resource_version, len(names) - len(known))
    assert sorted(known + [name for _, name in told]) == names


async def test_a_watch_sees_writes_of_another_store_over_the_same_storage(backend: Backend, store: Store) -> None:
    other = backend.open()
    waiting = asyncio.create_task(changes(store, "Agent", await now(store), 1))
    await asyncio.sleep(0.05)
    await apply(other, agent("theirs"))
    assert await waiting == [("added", "theirs")]


async def test_a_watch_sees_writes_of_another_process_within_a_second(backend: Backend, store: Store) -> None:
    async def seen() -> float:
        await changes(store, "Agent", since, 1)
        return time.time()

    since = await now(store)
    waiting = asyncio.create_task(seen())
    written_at = await asyncio.to_thread(backend.apply_elsewhere, "theirs")
    assert await waiting - written_at < 1
    assert await store.get("Agent", "default", "theirs") is not None


async def test_a_version_that_is_no_longer_kept_is_expired(backend: Backend, store: Store) -> None:
    await apply(store, agent("a"))
    since = await now(store)
    await backend.outdate(store)
    with pytest.raises(ResourceExpired, match="list again"):
        await changes(store, "Agent", since, 1)


async def test_a_version_from_a_list_is_good_for_a_watch_after_others_expired(backend: Backend, store: Store) -> None:
    await backend.outdate(store)
    since = await now(store)
    await apply(store, agent("a"))
    assert await changes(store, "Agent", since, 1) == [("added", "a")]


async def test_a_version_that_is_none_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="take the one that list returned"):
        await changes(store, "Agent", "yesterday", 1)


async def test_a_cancelled_watch_ends_and_leaves_the_store_usable(store: Store) -> None:
    task = asyncio.create_task(changes(store, "Agent", await now(store), 1))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    since = await now(store)
    await apply(store, agent("a"))
    assert await changes(store, "Agent", since, 1) == [("added", "a")]
