"""Clients that leave or do not read: what becomes of their turn, and of the platform."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from lmos.conversation.exchange import Intermediate
from lmos.testing import FakeArcAgent, LmosProcess, Pause, Silence
from tests.runtime.fakes import eventually
from tests.system.platforms import (
    ECHO_AGENT,
    arc_agent,
    body,
    channel,
    events_path,
    frames,
    message_path,
    up,
)

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

GRACE: Final = 2.0
WORDS: Final = 10
STREAM = {"x-turn-id": "t1", "accept": "text/event-stream"}

# Says ten megabytes in a thousand pieces.
TALKER: Final = '''\
from lmos import Agent, Capability, Turn


def talk(turn: Turn) -> str:
    """Talk at length."""
    for _ in range(1_000):
        turn.emit("x" * 10_000)
    return "That was all."


agent = Agent(
    name="talker",
    capabilities=[Capability("talker-who", version="1.0.0", examples=["Talk at length"])],
    tools=[talk],
    channels=["web"],
)
'''


@dataclass(frozen=True)
class Served:
    process: LmosProcess
    url: str
    silent: FakeArcAgent
    slow: FakeArcAgent

    def http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, timeout=20)

    async def events(self, conversation: str) -> list[dict[str, Any]]:
        """What the log holds of its turn, once that has ended."""
        async with self.http() as http:
            return frames((await http.get(events_path(conversation, "t1"))).text)


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Served]:
    folder = tmp_path_factory.mktemp("disconnects")
    (folder / "talker.agent.py").write_text(TALKER)
    (folder / "echo.agent.py").write_text(ECHO_AGENT.replace("NAME", "echo"))
    steps = [step for number in range(WORDS) for step in (Intermediate(f"word {number}"), Pause(0.05))]
    async with AsyncExitStack() as stack:
        silent = await stack.enter_async_context(FakeArcAgent(default=[Intermediate("One moment"), Silence()]))
        slow = await stack.enter_async_context(FakeArcAgent(default=[*steps, "Done."]))
        manifests = arc_agent("silent", silent.url) + arc_agent("slow", slow.url)
        manifests += channel("silent", "slow", "talker", "echo")
        settings = {"LMOS_RESUME_GRACE": str(GRACE)}
        files = ("talker.agent.py", "echo.agent.py")
        process = stack.enter_context(up(folder, *files, manifests=manifests, settings=settings))
        yield Served(process, await asyncio.to_thread(process.ready), silent, slow)
        assert "Traceback" not in process.err


def _post(url: str, conversation: str, agent: str, headers: dict[str, str], receive_buffer: int = 0) -> socket.socket:
    """A bare socket on which a turn was posted, so that the test decides when it reads and how it ends."""
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(10)
    sock.connect(("127.0.0.1", int(url.rpartition(":")[2])))
    content = json.dumps(body("Talk at length" if agent == "talker" else "Who am I?", agent=agent)).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "content-type": "application/json"}.items())
    head = f"POST {message_path(conversation)} HTTP/1.1\r\nHost: lmos\r\n{lines}Content-Length: {len(content)}\r\n\r\n"
    sock.sendall(head.encode() + content)
    return sock


async def test_who_cuts_a_plain_post_cancels_the_agent(served: Served) -> None:
    asked, cancelled = len(served.silent.asked), served.silent.cancelled
    with _post(served.url, "plain", "silent", {"x-turn-id": "t1"}):
        await eventually(lambda: len(served.silent.asked) > asked)

    await eventually(lambda: served.silent.cancelled > cancelled)
    events = await served.events("plain")
    assert (events[-1]["type"], events[-1]["code"]) == ("TurnFailed", "TURN_CANCELLED")


async def test_who_cuts_a_stream_and_stays_away_cancels_the_agent_after_the_grace(served: Served) -> None:
    asked, cancelled = len(served.silent.asked), served.silent.cancelled
    with _post(served.url, "gone", "silent", STREAM):
        await eventually(lambda: len(served.silent.asked) > asked)

    await asyncio.sleep(GRACE / 2)
    assert served.silent.cancelled == cancelled
    await eventually(lambda: served.silent.cancelled > cancelled)
    assert (await served.events("gone"))[-1]["code"] == "TURN_CANCELLED"


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_stream_that_was_cut_resumes_without_gap_or_duplicate(served: Served, method: str) -> None:
    conversation, asked = f"resumed-{method}", len(served.slow.asked)
    path = message_path(conversation) if method == "POST" else events_path(conversation, "t1")
    content = {"json": body(agent="slow")} if method == "POST" else {}
    seen: list[dict[str, Any]] = []
    async with served.http() as http:
        await _read_some(http, "POST", message_path(conversation), 4, STREAM, seen, json=body(agent="slow"))
        for count in (3, 2, 100):
            headers = STREAM | {"last-event-id": str(seen[-1]["seq"])}
            await _read_some(http, method, path, count, headers, seen, **content)

    assert seen == await served.events(conversation)
    assert [event["type"] for event in seen].count("IntermediateMessage") == WORDS
    assert seen[-1]["type"] == "TurnCompleted"
    assert len(served.slow.asked) == asked + 1


async def _read_some(
    http: httpx2.AsyncClient,
    method: str,
    path: str,
    count: int,
    headers: dict[str, str],
    seen: list[dict[str, Any]],
    **content: Any,
) -> None:
    """Add up to `count` events to `seen`, then cut the connection."""
    text = ""
    async with http.stream(method, path, headers=headers, **content) as stream:
        async for piece in stream.aiter_text():
            text += piece
            if len(frames(text)) >= count:
                break
    seen.extend(frames(text))


async def test_who_does_not_read_holds_up_nobody_and_costs_no_more_than_the_turn(served: Served) -> None:
    before = _resident_mib(served.process.pid)
    with ExitStack() as idle:
        for _ in range(20):
            idle.enter_context(_post(served.url, "talk", "talker", STREAM, receive_buffer=4096))
        async with served.http() as http:
            others = [
                await http.post(message_path(f"other-{n}"), json=body(agent="echo"), headers={"x-turn-id": "t1"})
                for n in range(5)
            ]
        events = await served.events("talk")
        after = _resident_mib(served.process.pid)

    assert [r.json()["content"] for r in others] == [f"other-{n} u1 t1" for n in range(5)]
    assert sum(len(event.get("content", "")) for event in events) == 10_000_000
    assert events[-1]["type"] == "TurnCompleted"
    assert after - before < 150, "twenty readers must share one turn's ten megabytes"


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("the size of a process is read from /proc")
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
    assert found is not None
    return int(found[1]) / 1024
