"""The whole operator on a real SQLite store: it converges, writes only what changed, and recovers from faults.

The event loop's time is virtual, so backoff costs nothing; the store's threads run for real.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import looptime
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from lmos.clock import SystemClock
from lmos.database.engine import Database
from lmos.operator import reasons
from lmos.operator.manager import Manager, OperatorStopped
from lmos.operator.resolver import resolve
from lmos.operator.sqlite import SqliteStore
from lmos.resources.agent import Agent, Endpoint
from lmos.resources.base import Resource
from lmos.resources.channel import Channel, ResolveStatus
from lmos.resources.routing import ChannelRouting
from tests.operator.builders import LABELS, agent, channel
from tests.operator.flaky import FlakyStore

pytestmark = pytest.mark.anyio

WEB = channel(("bill", "^1.0.0"), name="web")
BILLING = agent("billing", ("bill", "1.0.0"))


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


@dataclass
class World:
    """A store that people write to, and the same store as the operator sees it."""

    store: SqliteStore
    seen: FlakyStore

    def manager(self, **options: Any) -> Manager:
        return Manager(self.seen, SystemClock(), **options)

    async def put(self, *resources: Resource) -> None:
        for resource in resources:
            await self.store.apply(resource, field_manager="test")

    async def remove(self, resource: Resource) -> None:
        key = resource.key
        assert await self.store.delete(key.kind, key.namespace, key.name)

    async def channel(self, name: str = "web") -> Channel:
        found = await self.store.get("Channel", "default", name)
        assert isinstance(found, Channel)
        return found

    async def providers(self, name: str = "web") -> list[str] | None:
        """The groups of the channel's routing, `None` without one."""
        found = await self.store.get("ChannelRouting", "default", name)
        assert found is None or isinstance(found, ChannelRouting)
        return None if found is None else [group.name for group in found.spec.capability_groups]

    async def status(self, name: str = "web") -> ResolveStatus | None:
        found = await self.channel(name)
        return None if found.status is None else found.status.resolve_status


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = Database.open(tmp_path / "lmos.db", synchronous="normal")
    store = SqliteStore(database, SystemClock())
    yield World(store, FlakyStore(store))
    await store.aclose()
    await database.aclose()


def _reconciles() -> float:
    labels = {"controller": "channel", "result": "success"}
    return REGISTRY.get_sample_value("lmos_operator_reconcile_total", labels) or 0.0


async def test_a_channel_gets_its_routing_and_status(world: World) -> None:
    await world.put(BILLING, WEB)
    async with world.manager() as manager:
        await manager.settled()
    assert await world.providers() == ["billing"]
    stored = await world.channel()
    assert stored.status is not None
    assert stored.status.resolve_status is ResolveStatus.RESOLVED
    assert stored.status.observed_generation == stored.metadata.generation


async def test_objects_that_arrive_later_are_reconciled(world: World) -> None:
    async with world.manager() as manager:
        await world.put(WEB)
        await manager.settled()
        assert await world.status() is ResolveStatus.UNRESOLVED
        await world.put(BILLING)
        await manager.settled()
        assert await world.status() is ResolveStatus.RESOLVED


async def test_a_deleted_agent_leaves_its_channel_unresolved(world: World) -> None:
    await world.put(BILLING, WEB)
    async with world.manager() as manager:
        await manager.settled()
        await world.remove(BILLING)
        await manager.settled()
    assert await world.status() is ResolveStatus.UNRESOLVED
    assert await world.providers() == []


async def test_deleting_a_channel_removes_its_routing(world: World) -> None:
    await world.put(BILLING, WEB)
    async with world.manager() as manager:
        await manager.settled()
        await world.remove(WEB)
        await manager.settled()
        assert await world.providers() is None


async def test_a_channel_deleted_and_created_again_gets_a_routing_of_its_own(world: World) -> None:
    await world.put(BILLING, WEB)
    async with world.manager() as manager:
        await manager.settled()
        await world.remove(WEB)
        await world.put(WEB)
        await manager.settled()
    routing = await world.store.get("ChannelRouting", "default", "web")
    assert routing is not None
    assert [owner.uid for owner in routing.metadata.owner_references] == [(await world.channel()).metadata.uid]


async def test_local_agents_get_the_platforms_host(world: World) -> None:
    await world.put(agent("billing", ("bill", "1.0.0"), endpoint=Endpoint(protocol="local")), WEB)
    async with world.manager(platform_host="127.0.0.1:8080") as manager:
        await manager.settled()
    routing = await world.store.get("ChannelRouting", "default", "web")
    assert isinstance(routing, ChannelRouting)
    assert [c.host for group in routing.spec.capability_groups for c in group.capabilities] == ["127.0.0.1:8080"]


async def test_other_namespaces_are_left_alone(world: World) -> None:
    await world.put(WEB, channel(("bill", "*"), name="far", namespace="far"))
    async with world.manager(namespaces=["far"]) as manager:
        await manager.settled()
    assert (await world.channel()).status is None
    assert await world.store.get("ChannelRouting", "far", "far") is not None


async def test_nothing_is_written_when_nothing_changed(world: World) -> None:
    await world.put(BILLING, WEB)
    async with world.manager() as manager:
        await manager.settled()
    assert world.seen.writes == {("apply", "ChannelRouting"): 1, ("update_status", "Channel"): 1}
    async with world.manager() as manager:
        await world.put(BILLING, WEB)
        await manager.settled()
    assert world.seen.writes.total() == 2


async def test_a_routing_that_somebody_changed_is_put_right(world: World) -> None:
    await world.put(BILLING, WEB)
    async with world.manager() as manager:
        await manager.settled()
        routing = await world.store.get("ChannelRouting", "default", "web")
        assert isinstance(routing, ChannelRouting)
        tampered = routing.model_copy(update={"spec": routing.spec.model_copy(update={"capability_groups": ()})})
        await world.put(tampered.with_meta(resource_version=None))
        await manager.settled()
        assert await world.providers() == ["billing"]


async def test_a_routing_that_somebody_deleted_is_written_again(world: World) -> None:
    await world.put(BILLING, WEB)
    async with world.manager() as manager:
        await manager.settled()
        assert await world.store.delete("ChannelRouting", "default", "web")
        await manager.settled()
        assert await world.providers() == ["billing"]


async def test_an_agent_reconciles_only_channels_that_it_can_touch(world: World) -> None:
    names = [f"channel-{number}" for number in range(20)]
    await world.put(*(channel((name, "*"), name=name) for name in names))
    async with world.manager() as manager:
        await manager.settled()
        before = _reconciles()
        await world.put(agent("a", ("channel-3", "1.0.0"), ("channel-7", "1.0.0"), ("unheard-of", "1.0.0")))
        await manager.settled()
        assert _reconciles() - before == 2
        await world.put(agent("a", ("channel-7", "1.0.0"), ("channel-9", "1.0.0")))
        await manager.settled()
        assert _reconciles() - before == 5  # 3 lost it, 7 may have kept it, 9 gained it
    assert [name for name in names if await world.status(name) is ResolveStatus.RESOLVED] == ["channel-7", "channel-9"]


async def test_an_agents_new_annotation_reconciles_nothing(world: World) -> None:
    await world.put(BILLING, WEB)
    async with world.manager() as manager:
        await manager.settled()
        before = _reconciles()
        await world.put(BILLING.with_meta(annotations={"note": "hello"}))
        await manager.settled()
        assert _reconciles() == before


async def test_a_channel_that_requires_nothing_follows_any_agent(world: World) -> None:
    await world.put(channel(name="web"))
    async with world.manager() as manager:
        await manager.settled()
        assert await world.status() is ResolveStatus.UNRESOLVED
        await world.put(BILLING)
        await manager.settled()
        assert await world.status() is ResolveStatus.RESOLVED


@pytest.mark.parametrize("operation", ["apply", "update_status"])
async def test_a_failing_write_is_tried_again(world: World, operation: str) -> None:
    await world.put(BILLING, WEB)
    world.seen.fail(operation, 3)
    async with world.manager() as manager:
        await manager.settled()
    assert await world.status() is ResolveStatus.RESOLVED
    assert await world.providers() == ["billing"]


async def test_one_failing_channel_does_not_stop_the_others(world: World) -> None:
    others = [channel(("bill", "*"), name=f"other-{number}") for number in range(10)]
    await world.put(BILLING, WEB, *others)
    world.seen.fail("apply", 5)
    async with world.manager(workers=1) as manager:
        await manager.settled()
    assert {await world.status(other.metadata.name) for other in others} == {ResolveStatus.RESOLVED}


async def test_after_an_expired_watch_deleted_objects_are_found(world: World) -> None:
    other = agent("other", ("bill", "1.5.0"))
    await world.put(BILLING, other, WEB)
    async with world.manager() as manager:
        await manager.settled()
        assert await world.providers() == ["other"]
        world.seen.disconnect()
        await world.remove(other)
        world.seen.reconnect("Agent", "Channel", "ChannelRouting")
        await manager.settled()
        assert await world.providers() == ["billing"]


async def test_a_lost_connection_is_resumed_without_missing_a_change(world: World) -> None:
    await world.put(BILLING, WEB)
    async with world.manager() as manager:
        await manager.settled()
        world.seen.disconnect()
        await anyio.sleep(0.1)
        assert not manager.healthy
        await world.remove(BILLING)
        world.seen.reconnect()
        await manager.settled()
        await anyio.sleep(5)
        assert manager.healthy
        assert await world.status() is ResolveStatus.UNRESOLVED


async def test_a_manager_is_healthy_once_it_works(world: World) -> None:
    manager = world.manager()
    assert not manager.healthy
    async with manager:
        await manager.settled()
        assert manager.healthy
    assert not manager.healthy


async def test_an_exception_of_the_caller_comes_out_as_it_is(world: World) -> None:
    async def careless() -> None:
        async with world.manager() as manager:
            await manager.settled()
            raise KeyError("the caller's own")

    with pytest.raises(KeyError):
        await careless()


async def test_a_manager_stops_although_its_store_is_away(world: World) -> None:
    world.seen.disconnect()
    with anyio.fail_after(1):
        async with world.manager():
            await anyio.sleep(0.5)


async def test_a_bug_in_a_watch_shows_as_not_healthy(world: World) -> None:
    async with world.manager() as manager:
        await manager.settled()
        world.seen.disconnect(ZeroDivisionError("a bug"))
        with capture_logs() as logs:
            await anyio.sleep(1)
        assert not manager.healthy
        with pytest.raises(OperatorStopped, match="crashed"):
            await manager.settled()
    assert [line["event"] for line in logs] == [reasons.EVENT_OPERATOR_CRASHED]


async def test_run_ends_when_the_operator_crashed(world: World) -> None:
    running = asyncio.create_task(world.manager().run())
    await anyio.sleep(1)
    assert not running.done()
    with capture_logs():
        world.seen.disconnect(ZeroDivisionError("a bug"))
        with pytest.raises(OperatorStopped, match="crashed"):
            await running


async def test_a_manager_that_was_not_started_cannot_settle(world: World) -> None:
    with pytest.raises(OperatorStopped, match="async with manager"):
        await world.manager().settled()


async def test_nothing_is_decided_before_every_kind_is_listed(world: World) -> None:
    await world.put(BILLING, WEB)
    world.seen.disconnect()
    async with world.manager() as manager:
        await anyio.sleep(1)
        assert (await world.channel()).status is None
        world.seen.reconnect()
        await manager.settled()
    assert world.seen.writes == {("apply", "ChannelRouting"): 1, ("update_status", "Channel"): 1}


async def test_settled_of_some_keys_waits_for_these(world: World) -> None:
    async with world.manager() as manager:
        await world.put(BILLING, WEB)
        await manager.settled([WEB.key, BILLING.key])
        assert await world.status() is ResolveStatus.RESOLVED


async def test_a_channel_that_changes_while_its_status_is_written_is_reconciled_again(world: World) -> None:
    await world.put(BILLING, WEB)
    world.seen.before("update_status", lambda: world.put(channel(("missing", "*"), name="web")))
    async with world.manager() as manager:
        await manager.settled()
    assert await world.status() is ResolveStatus.UNRESOLVED
    assert await world.providers() == []


async def test_a_channel_that_is_deleted_while_it_is_reconciled_leaves_nothing_behind(world: World) -> None:
    await world.put(BILLING, WEB)
    world.seen.before("apply", lambda: world.remove(WEB))
    async with world.manager() as manager:
        await manager.settled()
    assert (await world.store.list("ChannelRouting", "default")).items == ()


async def test_a_stopped_manager_finishes_the_key_that_it_holds(world: World) -> None:
    await world.put(BILLING, WEB)
    started = anyio.Event()

    async def slow() -> None:
        started.set()
        await anyio.sleep(3)

    world.seen.before("apply", slow)
    async with world.manager():
        await started.wait()
    assert await world.status() is ResolveStatus.RESOLVED


def _random_resource(rng: random.Random) -> Resource:
    names = ("x", "y", "z")
    if rng.random() < 0.5:
        wanted = [(rng.choice(names), rng.choice(("*", "^1.0.0", ">=2", "<2"))) for _ in range(rng.randint(0, 2))]
        labels = LABELS | {"subset": rng.choice(("stable", "canary"))}
        return channel(*wanted, name=f"channel-{rng.randint(0, 3)}", labels=labels)
    provided = [(rng.choice(names), rng.choice(("0.9.0", "1.0.0", "1.1.0", "2.0.0", "bad"))) for _ in range(2)]
    return agent(f"agent-{rng.randint(0, 3)}", *provided, subset=rng.choice((None, "stable", "canary")))


@pytest.mark.parametrize("seed", range(20))
async def test_any_order_of_changes_and_faults_converges(world: World, seed: int) -> None:
    rng = random.Random(seed)
    alive: dict[str, Resource] = {}
    async with world.manager(workers=3) as manager:
        for _ in range(40):
            action = rng.random()
            if action < 0.2 and alive:
                await world.remove(alive.pop(rng.choice(sorted(alive))))
            elif action < 0.3:
                world.seen.fail(rng.choice(("apply", "update_status")), rng.randint(1, 3))
            elif action < 0.4:
                world.seen.disconnect()
                world.seen.reconnect(*rng.sample(("Agent", "Channel", "ChannelRouting"), rng.randint(0, 3)))
            else:
                resource = _random_resource(rng)
                alive[str(resource.key)] = resource
                await world.put(resource)
            if rng.random() < 0.3:
                await anyio.sleep(rng.random())
        await manager.settled()
    await _assert_as_resolved_from_scratch(world, alive.values())
    assert world.seen.needless == 0


async def _assert_as_resolved_from_scratch(world: World, alive: Iterable[Resource]) -> None:
    agents = [resource for resource in alive if isinstance(resource, Agent)]
    channels = [resource for resource in alive if isinstance(resource, Channel)]
    for wanted in channels:
        resolution = resolve(wanted, agents)
        name = wanted.metadata.name
        assert await world.providers(name) == list(dict.fromkeys(w.agent.metadata.name for w in resolution.wires))
        expected = ResolveStatus.RESOLVED if resolution.resolved else ResolveStatus.UNRESOLVED
        assert await world.status(name) is expected
    routings = await world.store.list("ChannelRouting", "default")
    assert {r.metadata.name for r in routings.items} == {c.metadata.name for c in channels}
