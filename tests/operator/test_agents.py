"""Agents that people write: their status, and what their endpoints say. In virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import looptime
import pytest

from lmos.operator import reasons
from lmos.operator.agent_status import ready_of
from lmos.resources.agent import Agent, AgentSpec, Endpoint
from lmos.resources.base import Condition, ObjectMeta
from lmos.resources.channel import ResolveStatus
from tests.operator.builders import agent, channel
from tests.operator.discovery.scripted import ScriptedAgents, capabilities, card
from tests.operator.flaky import FlakyStore
from tests.operator.memory import MemoryStore
from tests.operator.recorded import Recorded
from tests.operator.world import World

pytestmark = pytest.mark.anyio

WEB = channel(("bill", "^1.0.0"), name="web")
URL = "http://agent.example:8080"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


@pytest.fixture
def world() -> World:
    store = MemoryStore()
    return World(store, FlakyStore(store))


@pytest.fixture
def agents() -> ScriptedAgents:
    return ScriptedAgents()


def remote(url: str = URL, **spec: Any) -> Agent:
    """An Agent by url, to be asked what it can do."""
    protocol = spec.pop("protocol", "arc")
    return Agent(
        metadata=ObjectMeta(name="billing"),
        spec=AgentSpec(endpoint=Endpoint(url=url, protocol=protocol), discover=True, **spec),
    )


async def stored(world: World, name: str = "billing") -> Agent:
    found = await world.store.get("Agent", "default", name)
    assert isinstance(found, Agent)
    return found


async def conditions(world: World) -> dict[str, Condition]:
    status = (await stored(world)).status
    return {condition.type: condition for condition in status.conditions} if status is not None else {}


async def ready(world: World) -> tuple[str, str]:
    """Status and reason of the condition that sums up."""
    condition = ready_of((await stored(world)).status)
    assert condition is not None
    return condition.status, condition.reason


async def test_an_agent_that_is_well_is_ready(world: World) -> None:
    await world.put(agent("billing", ("bill", "1.0.0")))
    async with world.manager() as manager:
        await manager.settled()
    found = await stored(world)
    assert await ready(world) == ("True", reasons.DECLARED)
    assert found.status is not None
    assert found.status.observed_generation == found.metadata.generation == 1
    assert list(await conditions(world)) == [reasons.READY]


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        pytest.param(
            {"providedCapabilities": [{"name": "a", "version": "1.0.0"}, {"name": "b", "version": "1.0"}]},
            reasons.BAD_VERSION,
            "spec.providedCapabilities[1].version: version '1.0'",
            id="version",
        ),
        pytest.param({"endpoint": {"url": "http://h:0"}}, reasons.BAD_ENDPOINT, "spec.endpoint.url", id="endpoint"),
        pytest.param({"discover": True}, reasons.INVALID_SPEC, "spec.discover: there is no url", id="nothing to ask"),
    ],
)
async def test_what_the_schema_cannot_refuse_is_told_with_field_and_fix(
    world: World, agents: ScriptedAgents, spec: dict[str, Any], reason: str, words: str
) -> None:
    await world.put(Agent.model_validate({"metadata": {"name": "billing"}, "spec": spec}))
    async with world.manager(documents=agents) as manager:
        await manager.settled()
    assert await ready(world) == ("False", reason)
    assert words in (await conditions(world))[reasons.READY].message
    assert agents.asked == []


async def test_a_status_turns_with_the_spec_and_keeps_the_time_at_which_it_turned(world: World) -> None:
    recorded = Recorded()
    await world.put(agent("billing", ("bill", "1.0.0")))
    async with world.manager(recorder=recorded) as manager:
        await manager.settled()
        since = (await conditions(world))[reasons.READY].last_transition_time
        await world.put(agent("billing", ("bill", "1.1.0")))
        await manager.settled()
        assert (await conditions(world))[reasons.READY].last_transition_time == since
        assert (await conditions(world))[reasons.READY].observed_generation == 2
        assert recorded.events == []
        await world.put(agent("billing", ("bill", "1.1")))
        await manager.settled()
        await world.put(agent("billing", ("bill", "1.1.0")))
        await manager.settled()
    assert recorded.events == [
        ("Agent/billing", "Warning", reasons.BAD_VERSION),
        ("Agent/billing", "Normal", reasons.DECLARED),
    ]


async def test_what_the_endpoint_says_resolves_channels(world: World, agents: ScriptedAgents) -> None:
    recorded = Recorded()
    agents.serve(URL, capabilities(("bill", "1.2.0")))
    await world.put(remote(), WEB)
    async with world.manager(documents=agents, recorder=recorded) as manager:
        await manager.settled()
        assert await world.status() is ResolveStatus.RESOLVED
        assert await world.providers() == ["billing"]
    found = await stored(world)
    assert found.spec == remote().spec
    assert found.metadata.generation == 1
    assert await ready(world) == ("True", reasons.DISCOVERED)
    assert (await conditions(world))[reasons.DISCOVERED].reason == reasons.DOCUMENT_READ
    assert found.status is not None
    assert found.status.source is not None
    assert found.status.source.url == f"{URL}/.well-known/capabilities.json"
    assert ("Agent/billing", "Normal", reasons.DISCOVERED) in recorded.events


async def test_a_card_needs_channels_in_the_spec(world: World, agents: ScriptedAgents) -> None:
    agents.serve(URL, card("bill"))
    await world.put(remote(protocol="a2a"), WEB)
    async with world.manager(documents=agents) as manager:
        await manager.settled()
        assert await world.status() is ResolveStatus.UNRESOLVED
        assert "no channel until some are named in spec.supportedChannels" in (await conditions(world))["Ready"].message
        await world.put(remote(protocol="a2a", supported_channels=("web",)))
        await manager.settled()
        assert await world.status() is ResolveStatus.RESOLVED
    assert len(agents.asked) == 1


async def test_the_words_of_the_spec_win(world: World, agents: ScriptedAgents) -> None:
    agents.serve(URL, capabilities(("bill", "1.2.0"), channels=("ivr",)))
    await world.put(remote(description="By hand", supported_channels=("web",)), WEB)
    async with world.manager(documents=agents) as manager:
        await manager.settled()
        assert await world.status() is ResolveStatus.RESOLVED
    assert (await stored(world)).offer.description == "By hand"


async def test_an_agent_of_another_protocol_than_it_is_said_to_speak_is_not_guessed_at(
    world: World, agents: ScriptedAgents
) -> None:
    agents.serve(URL, card("bill"))
    await world.put(remote())
    async with world.manager(documents=agents) as manager:
        await manager.settled()
    assert await ready(world) == ("False", reasons.DOCUMENT_MISSING)


async def test_without_discovery_nobody_is_asked_and_the_agent_says_so(world: World) -> None:
    await world.put(remote())
    async with world.manager() as manager:
        await manager.settled()
    assert await ready(world) == ("False", reasons.DISCOVERY_OFF)


async def test_an_agent_that_does_not_answer_is_asked_again_with_growing_pauses(
    world: World, agents: ScriptedAgents
) -> None:
    recorded = Recorded()
    agents.fail(URL)
    await world.put(remote())
    async with world.manager(documents=agents, recorder=recorded) as manager:
        await manager.settled()
        assert await ready(world) == ("False", reasons.UNREACHABLE)
        written = world.seen.writes.total()
        await asyncio.sleep(3600)
        times = [time for _, time in agents.asked]
        pauses = [round(after - before) for before, after in pairwise(times)]
        assert pauses[:9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
        assert set(pauses[9:]) == {300}
        assert world.seen.writes.total() == written
    assert recorded.events == [("Agent/billing", "Warning", reasons.UNREACHABLE)]


async def test_an_agent_that_comes_back_is_ready_again(world: World, agents: ScriptedAgents) -> None:
    agents.fail(URL)
    await world.put(remote(), WEB)
    async with world.manager(documents=agents):
        await asyncio.sleep(100)
        agents.serve(URL, capabilities(("bill", "1.0.0")))
        await asyncio.sleep(300)
        assert await ready(world) == ("True", reasons.DISCOVERED)
        assert await world.status() is ResolveStatus.RESOLVED


async def test_a_change_of_something_else_does_not_hurry_the_next_question(
    world: World, agents: ScriptedAgents
) -> None:
    agents.fail(URL)
    await world.put(remote())
    async with world.manager(documents=agents) as manager:
        await asyncio.sleep(20)
        asked = len(agents.asked)
        for number in range(5):
            await world.put(remote(description=f"Words {number}"))
            await manager.settled()
        assert len(agents.asked) == asked
        assert await ready(world) == ("False", reasons.UNREACHABLE)
        await world.put(remote(f"{URL}/new"))
        await manager.settled()
        assert len(agents.asked) == asked + 1


async def test_what_was_discovered_is_kept_while_the_agent_is_away(world: World, agents: ScriptedAgents) -> None:
    agents.serve(URL, capabilities(("bill", "1.0.0")))
    await world.put(remote(), WEB)
    async with world.manager(documents=agents) as manager:
        await manager.settled()
        agents.fail(URL)
        await asyncio.sleep(1300)
        assert await ready(world) == ("False", reasons.UNREACHABLE)
        assert await world.status() is ResolveStatus.RESOLVED
        # The manifest is applied once more, as each start of the platform does.
        await world.put(remote())
        await manager.settled()
        assert await world.status() is ResolveStatus.RESOLVED


async def test_a_document_is_read_again_now_and_then_and_nothing_is_written_while_it_is_the_same(
    world: World, agents: ScriptedAgents
) -> None:
    agents.serve(URL, capabilities(("bill", "1.0.0")))
    await world.put(remote(), channel(("bill", "^2.0.0"), name="web"))
    async with world.manager(documents=agents) as manager:
        await manager.settled()
        written = world.seen.writes.total()
        await asyncio.sleep(1300)
        assert len(agents.asked) in (2, 3)
        assert world.seen.writes.total() == written
        agents.serve(URL, capabilities(("bill", "2.0.0")))
        await asyncio.sleep(1300)
        assert await world.status() is ResolveStatus.RESOLVED


async def test_a_restart_asks_nobody_who_has_answered(world: World, agents: ScriptedAgents) -> None:
    agents.serve(URL, capabilities(("bill", "1.0.0")))
    await world.put(remote(), WEB)
    for _ in range(3):
        async with world.manager(documents=agents) as manager:
            await manager.settled()
            await asyncio.sleep(60)
    assert len(agents.asked) == 1


async def test_an_agent_that_is_not_asked_any_more_offers_its_spec_alone(world: World, agents: ScriptedAgents) -> None:
    agents.serve(URL, capabilities(("bill", "1.0.0")))
    await world.put(remote(), WEB)
    async with world.manager(documents=agents) as manager:
        await manager.settled()
        await world.put(agent("billing", ("other", "1.0.0"), endpoint=Endpoint(url=URL)))
        await manager.settled()
        assert await world.status() is ResolveStatus.UNRESOLVED
        status = (await stored(world)).status
        assert status is not None
        assert (status.source, status.discovered) == (None, None)
        assert await ready(world) == ("True", reasons.DECLARED)
        await asyncio.sleep(3600)
    assert len(agents.asked) == 1


async def test_slow_agents_do_not_keep_others_waiting(world: World, agents: ScriptedAgents) -> None:
    agents.delay = 5
    await world.put(*(remote().with_meta(name=f"slow-{number}") for number in range(10)))
    async with world.manager(documents=agents):
        await asyncio.sleep(1)
        await world.put(agent("billing", ("bill", "1.0.0")))
        await asyncio.sleep(1)
        assert await ready(world) == ("True", reasons.DECLARED)


async def test_an_agent_that_is_deleted_while_it_is_asked_leaves_nothing(world: World, agents: ScriptedAgents) -> None:
    agents.serve(URL, capabilities(("bill", "1.0.0")))
    agents.delay = 3
    await world.put(remote(), WEB)
    async with world.manager(documents=agents) as manager:
        await asyncio.sleep(1)
        await world.remove(remote())
        await manager.settled()
        assert await world.store.get("Agent", "default", "billing") is None
        assert await world.status() is ResolveStatus.UNRESOLVED
        await asyncio.sleep(3600)
    assert len(agents.asked) == 1


async def test_an_endpoint_that_changes_while_it_is_asked_is_asked_again(world: World, agents: ScriptedAgents) -> None:
    agents.serve(URL, capabilities(("old", "1.0.0")))
    agents.serve(f"{URL}/new", capabilities(("bill", "1.0.0")))
    agents.delay = 3
    await world.put(remote(), WEB)
    async with world.manager(documents=agents) as manager:
        await asyncio.sleep(1)
        await world.put(remote(f"{URL}/new"))
        await manager.settled()
        assert await world.status() is ResolveStatus.RESOLVED
    assert [url for url, _ in agents.asked] == [URL, f"{URL}/new"]


async def test_a_faulty_store_does_not_make_it_ask_without_end(world: World, agents: ScriptedAgents) -> None:
    agents.serve(URL, capabilities(("bill", "1.0.0")))
    await world.put(remote())
    world.seen.fail("update_status", 5)
    async with world.manager(documents=agents) as manager:
        await manager.settled()
        assert await ready(world) == ("True", reasons.DISCOVERED)
    assert len(agents.asked) <= 6
