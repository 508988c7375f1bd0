"""The whole operator on a real SQLite store: it converges, writes only what changed, and recovers from faults.

The event loop's time is virtual, so backoff costs nothing; the store's threads run for real.
"""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import looptime
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from lmos.operator import reasons
from lmos.operator.cache import Cache
from lmos.operator.manager import OperatorStopped
from lmos.operator.views import Views, resolved_channels
from lmos.resources.agent import Endpoint
from lmos.resources.channel import ChannelStatus, ResolveStatus
from lmos.resources.routing import ChannelRouting
from tests.operator.builders import agent, channel
from tests.operator.recorded import Recorded
from tests.operator.world import World

pytestmark = pytest.mark.anyio

WEB = channel(("bill", "^1.0.0"), name="web")
BILLING = agent("billing", ("bill", "1.0.0"))
WRITES = {("update_status", "Agent"): 1, ("apply", "ChannelRouting"): 1, ("update_status", "Channel"): 1}
KINDS = ("Agent", "Channel", "ChannelRouting")


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


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
    assert world.seen.writes == WRITES
    async with world.manager() as manager:
        await world.put(BILLING, WEB)
        await manager.settled()
    assert world.seen.writes == WRITES


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
    names = [f"channel-{number}" for number in range(50)]
    await world.put(*(channel((name, "*"), name=name) for name in names))
    async with world.manager() as manager:
        await manager.settled()
        before = _reconciles()
        await world.put(agent("a", ("channel-3", "1.0.0"), ("channel-7", "1.0.0"), ("unheard-of", "1.0.0")))
        await manager.settled()
        # Two channels. The watch may tell of a routing before its writer hears of it: then each is looked at twice.
        assert 2 <= _reconciles() - before <= 4
    assert [name for name in names if await world.status(name) is ResolveStatus.RESOLVED] == ["channel-3", "channel-7"]


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
    assert world.seen.writes == WRITES


async def test_the_size_of_the_operators_caches_is_shown_and_no_other(world: World) -> None:
    await world.put(BILLING, WEB)
    async with world.manager() as manager:
        await manager.settled()
        stored = await world.store.get("ChannelRouting", "default", "web")
        assert isinstance(stored, ChannelRouting)
        Cache(ChannelRouting).put(stored)
        shown = {kind: REGISTRY.get_sample_value("lmos_cache_objects", {"kind": kind}) for kind in KINDS}
        assert shown == {"Agent": 1, "Channel": 1, "ChannelRouting": 1}


def _resolved(name: str) -> float | None:
    labels = {"namespace": "default", "name": name, "tenant": "acme", "channel": "web", "subset": "stable"}
    return REGISTRY.get_sample_value("lmos_channel_resolved", labels)


async def test_whether_each_channel_is_resolved_is_shown_while_it_exists(world: World) -> None:
    await world.put(BILLING, WEB, channel(("missing", "*"), name="app"))
    async with world.manager() as manager:
        await manager.settled()
        assert (_resolved("web"), _resolved("app"), _resolved("nowhere")) == (1, 0, None)
        await world.remove(BILLING)
        await world.remove(channel(("missing", "*"), name="app"))
        await manager.settled()
        assert (_resolved("web"), _resolved("app")) == (0, None)


async def test_of_very_many_channels_unresolved_ones_are_shown_first() -> None:
    views = Views()
    for number in range(1500):
        status = ChannelStatus(resolve_status=ResolveStatus.UNRESOLVED if number % 100 == 0 else ResolveStatus.RESOLVED)
        web = channel(name=f"c{number}").model_copy(update={"status": status})
        views.channels.put(web.with_meta(resource_version="1"))
    shown = list(resolved_channels(views))
    assert len(shown) == 1000
    assert [number for _, number in shown] == [0.0] * 15 + [1.0] * 985


async def test_settled_of_some_keys_waits_for_these(world: World) -> None:
    async with world.manager() as manager:
        await world.put(BILLING, WEB)
        await manager.settled([WEB.key, BILLING.key])
        assert await world.status() is ResolveStatus.RESOLVED


async def test_a_channel_that_changes_while_its_status_is_written_is_reconciled_again(world: World) -> None:
    await world.put(BILLING, WEB)
    world.seen.before("update_status", "Channel", lambda: world.put(channel(("missing", "*"), name="web")))
    async with world.manager() as manager:
        await manager.settled()
    assert await world.status() is ResolveStatus.UNRESOLVED
    assert await world.providers() == []


async def test_a_channel_that_is_deleted_while_it_is_reconciled_leaves_nothing_behind(world: World) -> None:
    await world.put(BILLING, WEB)
    world.seen.before("apply", "ChannelRouting", lambda: world.remove(WEB))
    async with world.manager() as manager:
        await manager.settled()
    assert (await world.store.list("ChannelRouting", "default")).items == ()


async def test_a_stopped_manager_finishes_the_key_that_it_holds(world: World) -> None:
    await world.put(BILLING, WEB)
    started = anyio.Event()

    async def slow() -> None:
        started.set()
        await anyio.sleep(3)

    world.seen.before("apply", "ChannelRouting", slow)
    async with world.manager():
        await started.wait()
    assert await world.status() is ResolveStatus.RESOLVED


async def test_each_turn_of_a_channel_is_an_event_with_its_reason(world: World) -> None:
    recorded = Recorded()
    await world.put(WEB)
    async with world.manager(recorder=recorded) as manager:
        for change in (world.put(BILLING), world.put(BILLING.with_meta(labels={"team": "a"})), world.remove(BILLING)):
            await manager.settled()
            await change
        await manager.settled()
    assert recorded.events == [
        ("Channel/web", "Warning", reasons.NO_AGENT_SERVES_CHANNEL),
        ("Channel/web", "Normal", reasons.ALL_CAPABILITIES_PROVIDED),
        ("Channel/web", "Warning", reasons.NO_AGENT_SERVES_CHANNEL),
    ]
    assert "no agent provides 'bill'" in recorded.messages[0]
