"""kill -9 and SIGTERM in the middle of turns: what was shown is in the log, and every turn is answered once."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lmos.conversation.exchange import Intermediate
from lmos.conversation.turn import TurnKey
from lmos.database.engine import Database
from lmos.runtime.turn_log import SqlTurnLog
from lmos.server.folder import database_path
from lmos.testing import FakeArcAgent, Pause, Silence
from tests.runtime.fakes import eventually
from tests.system.platforms import arc_agent, body, channel, frames, logged, message_path, up

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(60)]

TURN = {"x-turn-id": "t1"}
STREAM = {**TURN, "accept": "text/event-stream"}


@dataclass
class Shown:
    """What a streaming client got to see of one turn."""

    conversation: str
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    async def read(self, http: httpx2.AsyncClient) -> None:
        """Take the turn until its stream ends, or breaks."""
        text = ""
        try:
            async with http.stream(
                "POST", message_path(self.conversation), json=body(agent="slow"), headers=STREAM
            ) as stream:
                async for piece in stream.aiter_text():
                    text += piece
                    self.events = frames(text)
        except httpx2.TransportError:
            return


async def _one_after_the_other(http: httpx2.AsyncClient, turns: list[Shown], stop: asyncio.Event) -> None:
    """Start turns until told to stop, so that they are at different points then; wait for their ends."""
    async with asyncio.TaskGroup() as running:
        while not stop.is_set():
            turns.append(Shown(f"c{len(turns)}"))
            running.create_task(turns[-1].read(http))
            await asyncio.sleep(0.03)


async def test_after_kill_9_the_log_holds_what_was_shown_and_each_turn_is_answered_once(tmp_path: Path) -> None:
    steps = [Pause(0.2), Intermediate("One moment"), Pause(0.3), "Here you are."]
    async with FakeArcAgent(default=steps) as agent:
        manifests = arc_agent("slow", agent.url) + channel("slow")
        with up(tmp_path, manifests=manifests) as platform:
            url = await asyncio.to_thread(platform.ready)
            turns: list[Shown] = []
            killed = asyncio.Event()
            async with httpx2.AsyncClient(base_url=url, timeout=20, limits=httpx2.Limits(max_connections=200)) as http:
                taking = asyncio.create_task(_one_after_the_other(http, turns, killed))
                await eventually(lambda: sum("TurnCompleted" in turn.types for turn in turns) >= 6)
                platform.kill()
                killed.set()
                await taking
        asked_before = len(agent.asked)
        states = {turn.types[-1] if turn.types else "nothing" for turn in turns}
        assert {"AgentCalled", "IntermediateMessage", "TurnCompleted"} <= states, "killed at one point only"

        with up(tmp_path, "manifests.yaml", name="again") as restarted:
            url = await asyncio.to_thread(restarted.ready)
            await asyncio.to_thread(_compare_log, url, turns)
            again = await _post_all(url, turns)
            assert [(r.status_code, r.json()["content"]) for r in again] == [(200, "Here you are.")] * len(turns)
            asked_after = len(agent.asked)
            assert asked_after - asked_before == sum("TurnCompleted" not in turn.types for turn in turns)
            assert [r.content for r in await _post_all(url, turns)] == [r.content for r in again]
            assert len(agent.asked) == asked_after
            await asyncio.to_thread(_compare_log, url, turns, ended=True)
        assert "Traceback" not in platform.err + restarted.err


async def _post_all(url: str, turns: list[Shown]) -> list[httpx2.Response]:
    async with httpx2.AsyncClient(base_url=url, timeout=20) as http:
        posts = (http.post(message_path(t.conversation), json=body(agent="slow"), headers=TURN) for t in turns)
        return list(await asyncio.gather(*posts))


def _compare_log(url: str, turns: list[Shown], *, ended: bool = False) -> None:
    with httpx2.Client(base_url=url, timeout=20) as http:
        for turn in turns:
            found = logged(http, turn.conversation, "t1")
            assert found[: len(turn.events)] == turn.events
            assert [event["seq"] for event in found] == list(range(len(found)))
            if ended:
                assert [event["type"] for event in found].count("TurnCompleted") == 1
                assert found[-1]["type"] == "TurnCompleted"


async def test_sigterm_ends_running_turns_in_the_log_and_the_process_in_time(tmp_path: Path) -> None:
    async with FakeArcAgent(default=[Intermediate("One moment"), Silence()]) as agent:
        manifests = arc_agent("slow", agent.url) + channel("slow")
        with up(tmp_path, manifests=manifests) as platform:
            url = await asyncio.to_thread(platform.ready)
            async with httpx2.AsyncClient(base_url=url, timeout=20) as http:
                streamed = Shown("streamed")
                streaming = asyncio.create_task(streamed.read(http))
                plain = asyncio.create_task(http.post(message_path("plain"), json=body(agent="slow"), headers=TURN))
                await eventually(lambda: len(agent.asked) == 2 and "IntermediateMessage" in streamed.types)
                began = time.monotonic()
                platform.send(signal.SIGTERM)
                code = await asyncio.to_thread(platform.wait)
                took = time.monotonic() - began
                await streaming
                answer = await plain

    assert answer.status_code == 500
    assert answer.json()["message"] == "the platform is stopping; post the turn again"
    assert streamed.types[-1] == "TurnFailed"
    assert code == 0
    assert took < 10
    assert "Traceback" not in platform.err
    database = Database.open(database_path(tmp_path / "data"))
    log = SqlTurnLog(database)
    for conversation in ("streamed", "plain"):
        assert (await log.read(TurnKey("acme", conversation, "t1")))[-1].type == "TurnFailed"
    await database.aclose()
