"""Agents that break, behind the real runtime: each fault ends its own turn, with one log line and nothing internal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import httpx2
import pytest

from lmos.conversation.exchange import Answer, Intermediate
from lmos.conversation.messages import Message
from lmos.testing import AgentError, Drop, FakeArcAgent, Garbage, LmosProcess, Pause, Silence
from lmos.testing.arc_agent import ArcStep
from lmos.testing.processes import free_port
from tests.system.platforms import arc_agent, body, channel, events_path, frames, message_path, up

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

DEADLINE: Final = 2.0
_WRONG_TYPE: Final = '{"id":"1","type":"next","payload":{"data":{"agent":{"messages":[{"content":1}]}}}}'

# By agent's name: what it does, and what the customer's channel reads.
FAULTS: Final[dict[str, tuple[Sequence[ArcStep], str]]] = {
    "error": ([AgentError("KeyError in /srv/agent.py")], "agent 'error' failed"),
    "drop": ([Drop()], "agent 'drop' closed the connection"),
    "late-drop": ([Intermediate("One moment"), Drop()], "agent 'late-drop' closed the connection"),
    "garbage": ([Garbage()], "agent 'garbage' sent what cannot be read"),
    "wrong-type": ([Garbage(_WRONG_TYPE)], "agent 'wrong-type' sent what cannot be read"),
    "huge": (["x" * 5_000_000], "agent 'huge' sent what cannot be read"),
    "silent": ([Silence()], f"no answer within {DEADLINE:g} s"),
    "only-speaks": ([Intermediate("Working on it")], "agent 'only-speaks' ended without an answer"),
}
WORKING: Final[dict[str, Sequence[ArcStep]]] = {
    "good": ["Here you are."],
    "slow": [Pause(0.5), "Here you are."],
    "speaks-after-its-answer": [Answer(Message(role="assistant", content="Here you are.")), Intermediate("And so on")],
}


@dataclass(frozen=True)
class Served:
    """A platform with all these agents, and one that nobody runs."""

    process: LmosProcess
    http: httpx2.AsyncClient

    async def ask(self, agent: str, conversation: str) -> httpx2.Response:
        headers = {"x-turn-id": "t1"}
        return await self.http.post(message_path(conversation), json=body(agent=agent), headers=headers)

    def lines(self, conversation: str) -> list[str]:
        """What the platform has logged about a conversation."""
        return [line for line in self.process.err.splitlines() if f"conversation={conversation} " in line]


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Served]:
    folder = tmp_path_factory.mktemp("faults")
    scripts = {name: steps for name, (steps, _) in FAULTS.items()} | WORKING
    async with AsyncExitStack() as stack:
        agents = {n: await stack.enter_async_context(FakeArcAgent(default=steps)) for n, steps in scripts.items()}
        urls = {name: agent.url for name, agent in agents.items()} | {"away": f"http://127.0.0.1:{free_port()}"}
        manifests = "".join(arc_agent(name, url) for name, url in urls.items()) + channel(*urls)
        settings = {"LMOS_TURN_DEADLINE": str(DEADLINE)}
        process = stack.enter_context(up(folder, manifests=manifests, settings=settings))
        url = await asyncio.to_thread(process.ready)
        http = await stack.enter_async_context(httpx2.AsyncClient(base_url=url, timeout=20))
        yield Served(process, http)


@pytest.mark.parametrize(
    ("agent", "message"),
    [*((name, message) for name, (_, message) in FAULTS.items()), ("away", "agent 'away' cannot be reached")],
    ids=[*FAULTS, "away"],
)
async def test_a_fault_ends_its_turn_with_an_error_that_tells_nothing_internal(
    served: Served, agent: str, message: str
) -> None:
    response = await served.ask(agent, f"c-{agent}")

    assert response.status_code == 500
    assert response.json() == {"errorCode": "AGENT_CLIENT_EXCEPTION", "message": message}
    lines = served.lines(f"c-{agent}")
    assert len(lines) == 1
    assert f'error="{message}"' in lines[0] or f"error='{message}'" in lines[0]


async def test_the_log_line_tells_the_operator_where_and_why(served: Served) -> None:
    await served.ask("away", "c-why")

    (line,) = served.lines("c-why")
    assert "agent at 127.0.0.1:" in line
    assert "Connect call failed" in line


@pytest.mark.parametrize("agent", WORKING)
async def test_an_agent_that_is_slow_or_speaks_too_long_is_no_fault(served: Served, agent: str) -> None:
    response = await served.ask(agent, f"c-{agent}")

    assert (response.status_code, response.json()["content"]) == (200, "Here you are.")


async def test_faults_harm_no_turn_beside_them(served: Served) -> None:
    names = [*FAULTS, "away"] * 3
    good = [served.ask("good", f"c-beside-{number}") for number in range(20)]
    bad = [served.ask(name, f"c-bad-{number}") for number, name in enumerate(names)]
    responses = await asyncio.gather(*good, *bad)

    assert [r.status_code for r in responses] == [200] * len(good) + [500] * len(bad)


async def test_the_stream_of_a_failed_turn_ends_with_its_failure(served: Served) -> None:
    headers = {"x-turn-id": "t1", "accept": "text/event-stream"}
    response = await served.http.post(message_path("c-stream"), json=body(agent="late-drop"), headers=headers)
    events = frames(response.text)

    assert response.status_code == 200
    assert [event["type"] for event in events[-2:]] == ["IntermediateMessage", "TurnFailed"]
    assert frames((await served.http.get(events_path("c-stream", "t1"))).text) == events


async def test_no_fault_leaves_a_traceback(served: Served) -> None:
    await asyncio.gather(*(served.ask(name, f"c-traceback-{name}") for name in [*FAULTS, "away"]))

    assert "Traceback" not in served.process.err
