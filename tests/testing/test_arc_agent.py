"""The fake ARC agent, asked by the platform's ARC client."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from lmos.conversation.errors import AgentFailed
from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer, Delta, Intermediate, ToolCall
from lmos.conversation.messages import KeyValue, Message, User
from lmos.protocols.arc.client import ArcClient
from lmos.testing import AgentError, Drop, FakeArcAgent, Garbage, Pause, Silence

pytestmark = pytest.mark.anyio

REQUEST = AgentRequest(
    conversation_id="c",
    messages=(Message(role="user", content="Hi"),),
    user=User(id="ada"),
    params=(KeyValue(key="enableEventing", value="true"),),
)


async def ask(agent: FakeArcAgent, times: int = 1) -> list[AgentEvent]:
    """Events of the last of `times` turns."""
    client = ArcClient()
    events: list[AgentEvent] = []
    try:
        for _ in range(times):
            events = [event async for event in client.ask(agent.url, REQUEST, agent_name="a", subset="canary")]
    finally:
        await client.aclose()
    return events


def text(events: Sequence[AgentEvent]) -> str:
    assert isinstance(events[-1], Answer)
    return events[-1].message.content


async def test_a_text_is_the_answer() -> None:
    async with FakeArcAgent(["Hello"]) as agent:
        assert text(await ask(agent)) == "Hello"
    assert (agent.asked[0].request.query, agent.asked[0].agent_name) == ("Hi", "a")
    assert (agent.asked[0].request.subset, agent.asked[0].headers["x-subset"]) == ("canary", "canary")


async def test_steps_are_sent_in_order() -> None:
    steps = [Intermediate("One moment"), ToolCall("1", "f", {"n": 1}), Delta("Hello"), Pause(0), "Hello"]
    async with FakeArcAgent([steps]) as agent:
        events = await ask(agent)
    assert events[:-1] == [Intermediate("One moment"), ToolCall("1", "f", {"n": 1}), Delta("Hello")]
    assert text(events) == "Hello"


async def test_turns_share_a_socket_until_it_breaks() -> None:
    async with FakeArcAgent(default="Hello") as agent:
        await ask(agent, times=3)
        assert (len(agent.asked), agent.sockets) == (3, 1)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([AgentError("no quota")], "no quota"),
        ([Drop()], "closed"),
        ([Intermediate("One moment"), Drop()], "closed"),
        ([Garbage()], "JSON"),
        ([Garbage('{"type": "next"}')], "."),
        ([Intermediate("One moment")], "without an answer"),
    ],
    ids=["error", "drop", "drop in mid-turn", "garbage", "odd frame", "no answer"],
)
async def test_a_fault_reaches_the_asker(steps: list[AgentEvent], message: str) -> None:
    async with FakeArcAgent([steps]) as agent:
        with pytest.raises(AgentFailed, match=message):
            await ask(agent)


async def test_a_used_up_script_says_so() -> None:
    async with FakeArcAgent() as agent:
        with pytest.raises(AgentFailed, match="no more turns"):
            await ask(agent)


async def test_silence_lasts_until_the_asker_leaves() -> None:
    async with FakeArcAgent([[Silence()]]) as agent:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await ask(agent)
        async with asyncio.timeout(5):
            while not agent.cancelled:  # noqa: ASYNC110 - the client's leave arrives over a real socket
                await asyncio.sleep(0.005)
    assert len(agent.asked) == 1
