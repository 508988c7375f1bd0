"""Whether an operator is alive and ready, in hours of virtual time: frozen, refused, cut off, or merely idle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any

import looptime
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from lmos.operator.base import Listing, StoreError, WatchEvent
from lmos.operator.manager import Manager
from lmos.operator.probes import stuck, waiting_for
from lmos.resources.base import Resource
from lmos.testing.clock import VirtualClock
from tests.operator.builders import channel
from tests.operator.memory import MemoryStore

pytestmark = pytest.mark.anyio

MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


class Denied(StoreError):
    """What does not go away by itself."""


class Faulty(MemoryStore):
    """`listing`, `watching` and `writing` are what its calls meet: an error, or a wait until `awake` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.listing: StoreError | None = None
        self.watching: StoreError | None = None
        self.writing: StoreError | None = None
        self.frozen = False
        self.bookmarks = True
        self.awake = asyncio.Event()

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        if self.listing is not None:
            raise self.listing
        return await super().list(kind, namespace, selector)

    async def watch(self, kind: str, namespace: str, since: str) -> AsyncGenerator[WatchEvent, None]:
        while True:
            if self.watching is not None:
                raise self.watching
            await asyncio.sleep(MINUTE)
            if self.bookmarks:
                yield WatchEvent("bookmark", since)

    async def apply(
        self, resource: Resource, *, field_manager: str, force: bool = True, without: Collection[str] = ()
    ) -> Resource:
        if self.writing is not None:
            raise self.writing
        while self.frozen and not self.awake.is_set():
            try:
                await self.awake.wait()
            except asyncio.CancelledError:
                continue  # what blocks cannot be cancelled
        return await super().apply(resource, field_manager=field_manager, force=force)


class Standing:
    """A candidate of an election."""

    def __init__(self, *, stood: bool = True, trouble: StoreError | None = None) -> None:
        self.stood = stood
        self.trouble = trouble


def _lasting(fault: StoreError) -> bool:
    return isinstance(fault, Denied)


@pytest.fixture
async def store() -> Faulty:
    return Faulty()


@pytest.fixture
async def manager(store: Faulty) -> AsyncGenerator[Manager]:
    async with Manager(store, VirtualClock()) as manager:
        await asyncio.sleep(1)
        yield manager
        store.awake.set()


async def test_an_idle_operator_lives_and_is_ready_for_hours(manager: Manager) -> None:
    await asyncio.sleep(5 * HOUR)
    assert (stuck(manager), waiting_for(manager)) == ([], [])


async def test_a_watch_that_hangs_shows_within_minutes(manager: Manager, store: Faulty) -> None:
    store.bookmarks = False
    await asyncio.sleep(4 * MINUTE)
    assert stuck(manager) == []
    await asyncio.sleep(4 * MINUTE)
    assert len(stuck(manager)) == 3
    assert all("has not moved for" in line for line in stuck(manager))


async def test_a_store_that_is_away_is_no_reason_to_restart_or_to_send_readers_away(
    manager: Manager, store: Faulty
) -> None:
    store.listing = store.watching = StoreError("connection refused")
    await asyncio.sleep(5 * HOUR)
    assert (stuck(manager), waiting_for(manager, lasting=_lasting)) == ([], [])
    assert not manager.healthy


async def test_a_reconcile_that_does_not_let_itself_be_cancelled_shows_within_minutes(
    manager: Manager, store: Faulty
) -> None:
    store.frozen = True
    web = channel(("bill", "*"), name="web")
    store.put(web)
    manager.views.channels.put(store.objects[0])
    await asyncio.sleep(MINUTE)
    manager._enqueue("channel", ("default", "web"))  # pyright: ignore[reportPrivateUsage] - the watch tells nothing here
    await asyncio.sleep(2 * MINUTE)
    assert stuck(manager) == []
    await asyncio.sleep(2 * MINUTE)
    assert [line.partition(" for ")[0] for line in stuck(manager)] == ["a reconcile has not ended"]
    store.awake.set()
    await asyncio.sleep(1)
    assert stuck(manager) == []


async def test_a_crashed_operator_is_stuck_and_not_ready(manager: Manager, store: Faulty) -> None:
    with capture_logs():
        store.watching = ZeroDivisionError("a bug")  # pyright: ignore[reportAttributeAccessIssue]
        await asyncio.sleep(2 * MINUTE)
    assert stuck(manager) == waiting_for(manager) == ["the operator crashed, see its log"]


async def test_until_all_is_listed_it_says_what_is_missing_and_why(store: Faulty) -> None:
    store.listing = Denied("agents is forbidden; grant the verb 'list'")
    async with Manager(store, VirtualClock(), namespaces=["team"]) as manager:
        await asyncio.sleep(MINUTE)
        assert waiting_for(manager, lasting=_lasting) == [
            f"{kind} objects of namespace team: agents is forbidden; grant the verb 'list'"
            for kind in ("Agent", "Channel", "ChannelRouting")
        ]
        store.listing = None
        await asyncio.sleep(MINUTE)
        assert waiting_for(manager, lasting=_lasting) == []


async def test_a_right_that_is_taken_away_makes_it_unready_until_it_is_given_back(
    manager: Manager, store: Faulty
) -> None:
    store.watching = Denied("watch is forbidden")
    await asyncio.sleep(2 * MINUTE)
    assert waiting_for(manager, lasting=_lasting) == ["watch is forbidden"]
    assert stuck(manager) == []
    store.watching = None
    await asyncio.sleep(2 * MINUTE)
    assert waiting_for(manager, lasting=_lasting) == []


async def test_a_write_that_is_forbidden_makes_it_unready_until_one_succeeds(store: Faulty) -> None:
    store.writing = Denied("patch is forbidden")
    store.put(channel(("bill", "*"), name="web"))
    async with Manager(store, VirtualClock()) as manager:
        await asyncio.sleep(MINUTE)
        assert waiting_for(manager, lasting=_lasting) == ["patch is forbidden"]
        store.writing = None
        await asyncio.sleep(10 * MINUTE)
        assert waiting_for(manager, lasting=_lasting) == []


async def test_a_standby_is_ready(manager: Manager) -> None:
    assert waiting_for(manager, Standing()) == []


async def test_a_lease_that_was_never_read_is_waited_for(manager: Manager) -> None:
    candidate = Standing(stood=False, trouble=StoreError("connection refused"))
    assert waiting_for(manager, candidate) == ["the Lease: connection refused"]


async def test_a_lease_that_cannot_be_read_for_a_while_is_no_reason(manager: Manager) -> None:
    assert waiting_for(manager, Standing(trouble=StoreError("connection refused")), lasting=_lasting) == []


async def test_a_lease_that_may_not_be_written_is_a_reason(manager: Manager) -> None:
    assert waiting_for(manager, Standing(trouble=Denied("leases: no")), lasting=_lasting) == ["leases: no"]


async def test_the_time_since_a_watch_told_anything_is_shown(manager: Manager, store: Faulty) -> None:
    await asyncio.sleep(MINUTE)
    store.listing = store.watching = StoreError("connection refused")
    await asyncio.sleep(10 * MINUTE)
    shown = REGISTRY.get_sample_value("lmos_cache_last_event_seconds", {"kind": "Agent"})
    assert shown is not None
    assert 9 * MINUTE < shown < 12 * MINUTE
