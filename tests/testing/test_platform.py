"""The in-memory platform, as a user's test would use it."""

from __future__ import annotations

import pytest

from lmos import Agent, Capability
from lmos.resources.channel import Channel, ResolveStatus
from lmos.testing import MemoryPlatform, ScriptedModel

pytestmark = pytest.mark.anyio

billing = Agent(
    name="billing",
    description="Answers questions about bills",
    capabilities=[
        Capability("view-bill", examples=["How much is my bill?", "Show my October bill", "My last invoice"])
    ],
    prompt="You answer questions about bills.",
    channels=["web"],
)
contract = Agent(
    name="contract",
    description="Answers questions about contracts",
    capabilities=[Capability("view-contract", examples=["When does my contract end?", "Cancel my contract"])],
    prompt="You answer questions about contracts.",
    channels=["web"],
)


async def test_a_query_reaches_the_agent_that_can_answer_it() -> None:
    model = ScriptedModel(["39.95 EUR", "In June"])
    async with MemoryPlatform(agents=[billing, contract], model=model) as platform:
        first = await platform.say("How much is my bill?")
        second = await platform.say("When does my contract end?")

    assert (first.agent, first.text) == ("billing", "39.95 EUR")
    assert (second.agent, second.text) == ("contract", "In June")


async def test_a_query_that_no_agent_can_answer_is_declined_by_the_platform() -> None:
    async with MemoryPlatform(agents=[billing], model=ScriptedModel([])) as platform:
        said = await platform.say("Who won the football match yesterday evening?")

    assert said.agent is None
    assert said.events[-1].type == "TurnCompleted"


async def test_an_agent_that_fails_is_told_by_its_code() -> None:
    async with MemoryPlatform(agents=[billing], model=ScriptedModel([])) as platform:
        said = await platform.say("How much is my bill?")

    assert said.error == "AGENT_CLIENT_EXCEPTION"


async def test_the_rest_api_answers_in_process() -> None:
    async with (
        MemoryPlatform(agents=[billing], model=ScriptedModel(["39.95 EUR"])) as platform,
        platform.client() as api,
    ):
        ready = await api.get("/readyz")
        routing = await api.get("/apis/v1/agents/acme/web")

    assert ready.status_code == 200
    assert [agent["name"] for agent in routing.json()] == ["billing"]


async def test_a_change_in_the_store_has_its_effect_once_settled() -> None:
    async with MemoryPlatform(agents=[billing, contract], model=ScriptedModel([])) as platform:
        await platform.store.delete("Agent", "default", "contract")
        await platform.settled()
        channel = await platform.store.get("Channel", "default", "acme-web")
        said = await platform.say("Cancel my contract", explicit_agent="contract")

    assert isinstance(channel, Channel)
    assert channel.status is not None
    assert channel.status.resolve_status is ResolveStatus.UNRESOLVED
    assert said.error == "AGENT_NOT_FOUND"


async def test_an_error_in_the_body_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with MemoryPlatform(agents=[billing], model=ScriptedModel([])):
            raise ZeroDivisionError
