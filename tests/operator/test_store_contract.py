"""What every `Store` must do, run against each variant. A backend opens any number of stores over one storage."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Protocol

import pytest

from lmos.clock import SystemClock
from lmos.database.engine import Database
from lmos.operator.base import (
    ALL_NAMESPACES,
    Conflict,
    NotFound,
    ResourceExpired,
    Store,
    StoreError,
    WatchEvent,
)
from lmos.operator.sqlite import SqliteStore
from lmos.resources.agent import Agent, AgentSpec
from lmos.resources.base import ObjectMeta, OwnerReference, Resource
from lmos.resources.channel import Channel, ChannelSpec, ChannelStatus, ResolveStatus
from lmos.resources.routing import ChannelRouting, ChannelRoutingSpec

pytestmark = pytest.mark.anyio


class Backend(Protocol):
    """A storage that several stores share, as several processes do."""

    def open(self) -> Store:
        """Another store over the same storage."""
        ...

    def apply_elsewhere(self, name: str) -> float:
        """Apply an Agent from another process; the wall time in seconds at which that was done."""
        ...

    async def outdate(self, store: Store) -> None:
        """Make the storage forget the changes so far."""
        ...

    async def aclose(self) -> None: ...


class SqliteBackend:
    RETAINED = 100

    _APPLY = """
import asyncio, sys, time
from pathlib import Path
from lmos.clock import SystemClock
from lmos.database.engine import Database
from lmos.operator.sqlite import SqliteStore
from lmos.resources.agent import Agent
from lmos.resources.base import ObjectMeta

async def main():
    db = Database.open(Path(sys.argv[1]))
    store = SqliteStore(db, SystemClock())
    await store.apply(Agent(metadata=ObjectMeta(name=sys.argv[2])), field_manager="elsewhere")
    print(time.time())
    await store.aclose()
    await db.aclose()

asyncio.run(main())
"""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: list[tuple[SqliteStore, Database]] = []

    def open(self) -> Store:
        db = Database.open(self._path, synchronous="normal")
        store = SqliteStore(db, SystemClock(), retained_changes=self.RETAINED)
        self._opened.append((store, db))
        return store

    def apply_elsewhere(self, name: str) -> float:
        command = [sys.executable, "-c", self._APPLY, str(self._path), name]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        return float(done.stdout)

    async def outdate(self, store: Store) -> None:
        for i in range(2 * self.RETAINED):
            await store.apply(agent("filler", description=str(i)), field_manager="test")

    async def aclose(self) -> None:
        for store, db in self._opened:
            await store.aclose()
            await db.aclose()


@pytest.fixture(params=["sqlite"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    assert request.param == "sqlite"
    backend = SqliteBackend(tmp_path / "lmos.db")
    yield backend
    await backend.aclose()


@pytest.fixture
def store(backend: Backend) -> Store:
    return backend.open()


def agent(name: str, *, namespace: str = "default", description: str = "", **labels: str) -> Agent:
    return Agent(
        metadata=ObjectMeta(name=name, namespace=namespace, labels=labels), spec=AgentSpec(description=description)
    )


def channel(name: str = "web") -> Channel:
    return Channel(metadata=ObjectMeta(name=name), spec=ChannelSpec(required_capabilities=()))


def owned(name: str, *owners: Resource) -> ChannelRouting:
    references = tuple(
        OwnerReference(kind=owner.KIND, name=owner.metadata.name, uid=owner.metadata.uid or "") for owner in owners
    )
    return ChannelRouting(metadata=ObjectMeta(name=name, owner_references=references), spec=ChannelRoutingSpec())


RESOLVED = ChannelStatus(resolve_status=ResolveStatus.RESOLVED, observed_generation=1)


async def apply(store: Store, resource: Resource) -> Resource:
    return await store.apply(resource, field_manager="test")


async def now(store: Store) -> str:
    return (await store.list("Agent", ALL_NAMESPACES)).resource_version


async def take(watch: AsyncIterator[WatchEvent], count: int, seconds: float = 5.0) -> list[WatchEvent]:
    """The next `count` events that are no bookmarks."""
    found: list[WatchEvent] = []
    async with asyncio.timeout(seconds):
        while len(found) < count:
            event = await anext(watch)
            if event.type != "bookmark":
                found.append(event)
    return found


async def changes(store: Store, kind: str, since: str, count: int) -> list[tuple[str, str]]:
    """Type and name of the next `count` changes."""
    async with aclosing(watching(store, kind, since)) as watch:
        return [(e.type, e.resource.metadata.name if e.resource else "") for e in await take(watch, count)]


async def watching(
    store: Store, kind: str, since: str, namespace: str = ALL_NAMESPACES
) -> AsyncGenerator[WatchEvent, None]:
    async for event in store.watch(kind, namespace, since):
        yield event


# Objects


async def test_what_was_applied_can_be_read(store: Store) -> None:
    given = agent("a", namespace="n1", description="d", subset="canary")
    applied = await store.apply(given, field_manager="test")
    found = await store.get("Agent", "n1", "a")
    assert found == applied
    assert isinstance(found, Agent)
    assert (found.spec, found.metadata.labels) == (given.spec, given.metadata.labels)


async def test_a_new_object_gets_what_the_server_owns(store: Store) -> None:
    applied = await store.apply(agent("a"), field_manager="test")
    meta = applied.metadata
    assert meta.uid
    assert meta.generation == 1
    assert meta.resource_version is not None
    assert meta.creation_timestamp is not None
    assert meta.creation_timestamp.endswith("Z")


async def test_an_unknown_object_is_none(store: Store) -> None:
    assert await store.get("Agent", "default", "a") is None


async def test_an_unknown_kind_is_an_error_that_names_the_known_ones(store: Store) -> None:
    with pytest.raises(StoreError, match=r"unknown kind 'Pod'.*agents"):
        await store.get("Pod", "default", "a")


async def test_an_equal_object_is_not_written(store: Store) -> None:
    first = await apply(store, agent("a", description="d", subset="canary"))
    again = await store.apply(agent("a", description="d", subset="canary"), field_manager="test")
    assert again == first
    assert await now(store) == first.metadata.resource_version


async def test_a_changed_spec_bumps_generation_and_version(store: Store) -> None:
    first = (await apply(store, agent("a", description="1"))).metadata
    second = (await apply(store, agent("a", description="2"))).metadata
    assert second.generation == 2
    assert int(second.resource_version or 0) > int(first.resource_version or 0)
    assert (second.uid, second.creation_timestamp) == (first.uid, first.creation_timestamp)


async def test_changed_labels_bump_only_the_version(store: Store) -> None:
    first = (await apply(store, agent("a"))).metadata
    second = (await apply(store, agent("a", tier="gold"))).metadata
    assert (second.generation, second.labels) == (1, {"tier": "gold"})
    assert second.resource_version != first.resource_version


async def test_an_object_created_again_is_a_new_one(store: Store) -> None:
    first = (await apply(store, agent("a"))).metadata
    await store.delete("Agent", "default", "a")
    second = (await apply(store, agent("a"))).metadata
    assert second.uid != first.uid
    assert second.generation == 1


async def test_deleting_tells_whether_there_was_an_object(store: Store) -> None:
    await apply(store, agent("a"))
    assert await store.delete("Agent", "default", "a") is True
    assert await store.delete("Agent", "default", "a") is False
    assert await store.get("Agent", "default", "a") is None


async def test_namespaces_are_apart(store: Store) -> None:
    await apply(store, agent("a", namespace="n1", description="1"))
    await apply(store, agent("a", namespace="n2", description="2"))
    await store.delete("Agent", "n1", "a")
    assert [a.metadata.namespace for a in (await store.list("Agent", ALL_NAMESPACES)).items] == ["n2"]


async def test_a_list_is_ordered_by_namespace_and_name(store: Store) -> None:
    for namespace, name in [("n2", "a"), ("n1", "b"), ("n1", "a")]:
        await apply(store, agent(name, namespace=namespace))
    await apply(store, channel())
    listing = await store.list("Agent", ALL_NAMESPACES)
    assert [(a.metadata.namespace, a.metadata.name) for a in listing.items] == [("n1", "a"), ("n1", "b"), ("n2", "a")]
    assert [a.metadata.name for a in (await store.list("Agent", "n1")).items] == ["a", "b"]


async def test_a_selector_takes_objects_that_have_all_its_labels(store: Store) -> None:
    await apply(store, agent("both", tier="gold", subset="canary"))
    await apply(store, agent("one", tier="gold"))
    await apply(store, agent("other", tier="silver", subset="canary"))
    listing = await store.list("Agent", "default", {"tier": "gold", "subset": "canary"})
    assert [a.metadata.name for a in listing.items] == ["both"]


# Status


async def test_apply_leaves_the_status_alone(store: Store) -> None:
    await apply(store, channel())
    await store.update_status(channel().model_copy(update={"status": RESOLVED}), field_manager="operator")
    changed = channel().model_copy(update={"status": None}).with_meta(labels={"tenant": "acme"})
    found = await apply(store, changed)
    assert isinstance(found, Channel)
    assert found.status == RESOLVED


async def test_a_new_object_has_no_status_whatever_was_applied(store: Store) -> None:
    found = await apply(store, channel().model_copy(update={"status": RESOLVED}))
    assert isinstance(found, Channel)
    assert found.status is None


async def test_a_status_write_changes_only_the_status(store: Store) -> None:
    before = await apply(store, channel().with_meta(labels={"tenant": "acme"}))
    bare = channel().model_copy(update={"status": RESOLVED})
    after = await store.update_status(bare, field_manager="operator")
    assert isinstance(after, Channel)
    assert after.status == RESOLVED
    assert after.metadata.generation == 1
    assert after.metadata.labels == {"tenant": "acme"}
    assert after.metadata.resource_version != before.metadata.resource_version


async def test_an_equal_status_is_not_written(store: Store) -> None:
    await apply(store, channel())
    written = channel().model_copy(update={"status": RESOLVED})
    first = await store.update_status(written, field_manager="operator")
    assert await store.update_status(written, field_manager="operator") == first


async def test_the_status_of_an_unknown_object_cannot_be_written(store: Store) -> None:
    with pytest.raises(NotFound, match=r"channel/web \(namespace default\) does not exist"):
        await store.update_status(channel(), field_manager="operator")


# Conditional writes


async def test_a_write_with_the_current_version_succeeds(store: Store) -> None:
    found = await apply(store, agent("a"))
    changed = found.model_copy(update={"spec": AgentSpec(description="new")})
    written = await store.apply(changed, field_manager="test")
    assert written.metadata.generation == 2


async def test_a_write_with_an_old_version_is_a_conflict(store: Store) -> None:
    old = await apply(store, agent("a", description="1"))
    await apply(store, agent("a", description="2"))
    with pytest.raises(Conflict, match="read it and retry"):
        await apply(store, old.model_copy(update={"spec": AgentSpec(description="3")}))
    found = await store.get("Agent", "default", "a")
    assert isinstance(found, Agent)
    assert found.spec.description == "2"


async def test_a_status_write_with_an_old_version_is_a_conflict(store: Store) -> None:
    old = await apply(store, channel())
    await apply(store, channel().with_meta(labels={"tenant": "acme"}))
    with pytest.raises(Conflict):
        await store.update_status(old.model_copy(update={"status": RESOLVED}), field_manager="operator")


async def test_a_write_with_the_version_of_a_deleted_object_is_a_conflict(store: Store) -> None:
    old = await apply(store, agent("a"))
    await store.delete("Agent", "default", "a")
    with pytest.raises(Conflict, match="does not exist"):
        await apply(store, old)


async def test_a_write_with_the_uid_of_an_earlier_object_is_a_conflict(store: Store) -> None:
    old = await apply(store, agent("a"))
    await store.delete("Agent", "default", "a")
    await apply(store, agent("a"))
    with pytest.raises(Conflict, match="was created again"):
        await apply(store, old.with_meta(resource_version=None))


async def test_concurrent_writes_of_one_object_are_serialised(backend: Backend) -> None:
    stores = [backend.open(), backend.open()]
    await asyncio.gather(*[apply(stores[i % 2], agent("a", description=str(i))) for i in range(50)])
    found = await stores[0].get("Agent", "default", "a")
    assert found is not None
    assert found.metadata.generation == 50


async def test_no_update_is_lost_among_conditional_writers(store: Store) -> None:
    await apply(store, agent("a"))

    async def add_label(label: str) -> None:
        while True:
            found = await store.get("Agent", "default", "a")
            assert found is not None
            try:
                await apply(store, found.with_meta(labels={**found.metadata.labels, label: "yes"}))
            except Conflict:
                continue
            return

    await asyncio.gather(*[add_label(f"l{i}") for i in range(20)])
    found = await store.get("Agent", "default", "a")
    assert found is not None
    assert len(found.metadata.labels) == 20


# Owners


async def test_an_owned_object_goes_with_its_owner(store: Store) -> None:
    owner = await apply(store, channel())
    await apply(store, owned("web", owner))
    since = await now(store)
    await store.delete("Channel", "default", "web")
    assert await store.get("ChannelRouting", "default", "web") is None
    assert await changes(store, "Channel", since, 1) == [("deleted", "web")]
    assert await changes(store, "ChannelRouting", since, 1) == [("deleted", "web")]


async def test_removal_follows_chains_of_owners(store: Store) -> None:
    first = await apply(store, channel())
    second = await apply(store, owned("second", first))
    await apply(store, owned("third", second))
    await store.delete("Channel", "default", "web")
    assert (await store.list("ChannelRouting", ALL_NAMESPACES)).items == ()


async def test_an_object_with_another_owner_stays_and_forgets_the_one_that_went(store: Store) -> None:
    first, second = await apply(store, channel("one")), await apply(store, channel("two"))
    await apply(store, owned("both", first, second))
    since = await now(store)
    await store.delete("Channel", "default", "one")
    found = await store.get("ChannelRouting", "default", "both")
    assert found is not None
    assert [owner.name for owner in found.metadata.owner_references] == ["two"]
    assert await changes(store, "ChannelRouting", since, 1) == [("modified", "both")]
    await store.delete("Channel", "default", "two")
    assert await store.get("ChannelRouting", "default", "both") is None


async def test_an_object_that_lost_its_owner_reference_stays(store: Store) -> None:
    owner = await apply(store, channel())
    await apply(store, owned("web", owner))
    await apply(store, owned("web"))
    await store.delete("Channel", "default", "web")
    assert await store.get("ChannelRouting", "default", "web") is not None


async def test_an_object_of_the_same_name_that_is_not_owned_stays(store: Store) -> None:
    await apply(store, channel())
    await apply(store, owned("web"))
    await store.delete("Channel", "default", "web")
    assert await store.get("ChannelRouting", "default", "web") is not None


# Watches


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


async def test_a_cancelled_watch_ends_and_leaves_the_store_usable(store: Store) -> None:
    task = asyncio.create_task(changes(store, "Agent", await now(store), 1))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    since = await now(store)
    await apply(store, agent("a"))
    assert await changes(store, "Agent", since, 1) == [("added", "a")]
