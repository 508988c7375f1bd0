"""What the platform adds to a turn: the same questions to an ARC agent directly and through the platform.

Both sides run in turn in one session against the same agent process. `overhead` is the platform's answer time less the
agent's; `throughput` compares 16 clients. A raw Starlette endpoint on the same server stack is there for information.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, aclosing
from pathlib import Path

import aiohttp
import uvloop

from benchmarks.processes import LMOS, cpu_seconds, free_port, running
from benchmarks.record import Session, percentile
from lmos.conversation.exchange import AgentRequest, Answer
from lmos.conversation.messages import Message, User
from lmos.protocols.arc.client import ArcClient

HERE = Path(__file__).parent
CLIENTS = 16
_CHANNEL = """
apiVersion: lmos.eclipse/v1
kind: Agent
metadata: {{name: bill, labels: {{subset: stable}}}}
spec:
  description: Answers questions about bills
  supportedChannels: [web]
  endpoint: {{url: "http://127.0.0.1:{agent_port}", protocol: arc}}
  providedCapabilities:
    - name: view-bill
      version: 1.0.0
      description: Shows a bill
      examples: [How much is my bill?, Show my latest bill, What do I have to pay?, My last invoice]
---
apiVersion: lmos.eclipse/v1
kind: Channel
metadata: {{name: acme-web, labels: {{tenant: acme, channel: web, version: 1.0.0, subset: stable}}}}
spec:
  requiredCapabilities: [{{name: view-bill, version: ">=1.0.0"}}]
"""
_TEXT = "How much is my bill?"

Ask = Callable[[], Awaitable[None]]


class _Sides:
    """The three ways to be answered."""

    def __init__(self, http: aiohttp.ClientSession, arc: ArcClient, agent: str, platform: str, raw: str) -> None:
        self._http, self._arc = http, arc
        self._agent, self._platform, self._raw = agent, platform, raw
        self._ids = itertools.count()

    async def direct(self) -> None:
        number = next(self._ids)
        message = Message(role="user", content=_TEXT)
        request = AgentRequest(f"c{number}", (message,), User(id="u1"), turn_id=f"t{number}")
        answered = False
        async with aclosing(self._arc.ask(f"{self._agent}/subscriptions", request, subset="stable")) as events:
            async for event in events:
                answered = answered or isinstance(event, Answer)
        assert answered

    async def through(self) -> None:
        number = next(self._ids)
        url = f"{self._platform}/apis/v1/acme/chat/c{number}/message"
        await self._post(url, number)

    async def raw(self) -> None:
        await self._post(f"{self._raw}/raw", next(self._ids))

    async def _post(self, url: str, number: int) -> None:
        body = {
            "inputContext": {"messages": [{"role": "user", "content": _TEXT, "format": "text"}]},
            "systemContext": {"channelId": "web", "contextParams": []},
            "userContext": {"userId": "u1", "contextParams": []},
        }
        async with self._http.post(url, json=body, headers={"x-turn-id": f"t{number}"}) as response:
            text = await response.text()
            assert response.status == 200, text


async def _latencies(ask: Ask, count: int) -> list[float]:
    taken: list[float] = []
    for _ in range(count):
        begin = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - begin) * 1e3)
    return taken


async def _throughput(ask: Ask, count: int) -> float:
    left = iter(range(count))

    async def client() -> None:
        for _ in left:
            await ask()

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return count / (time.perf_counter() - begin)


async def _measure(session: Session, label: str, sides: _Sides, cpu: Callable[[], float], rounds: int) -> None:
    await _throughput(sides.direct, 64)
    await _throughput(sides.through, 64)
    p50: list[float] = []
    p99: list[float] = []
    rates: dict[str, list[float]] = {"direct": [], "through": [], "raw": []}
    costs: list[float] = []
    for _ in range(rounds):
        direct, through = await _latencies(sides.direct, 150), await _latencies(sides.through, 150)
        p50.append(percentile(through, 0.5) - percentile(direct, 0.5))
        p99.append(percentile(through, 0.99) - percentile(direct, 0.99))
        rates["direct"].append(await _throughput(sides.direct, 400))
        before = cpu()
        rates["through"].append(await _throughput(sides.through, 400))
        costs.append((cpu() - before) / 400 * 1e3)
        rates["raw"].append(await _throughput(sides.raw, 1000))
    session.add(f"{label}: overhead of a turn, p50", "ms", p50, goal="<= 2")
    session.add(f"{label}: overhead of a turn, p99", "ms", p99)
    session.add(f"{label}: turns/s, 16 clients, agent directly", "1/s", rates["direct"])
    session.add(f"{label}: turns/s, 16 clients, through the platform", "1/s", rates["through"])
    ratios = [t / d for t, d in zip(rates["through"], rates["direct"], strict=True)]
    session.add(f"{label}: throughput over the agent's", "ratio", ratios, goal=">= 0.7")
    session.add(f"{label}: platform's CPU a turn", "ms", costs)
    session.add(f"{label}: raw Starlette endpoint, 16 clients", "1/s", rates["raw"], note="for information")


async def _session(session: Session, folder: Path, rounds: int) -> None:
    for label, server in (
        ("offline agent", [LMOS, "agent", "run", str(HERE / "agents" / "bill.agent.py")]),
        ("instant agent", [sys.executable, "-m", "benchmarks.instant_agent"]),
    ):
        agent_port, port, raw_port = free_port(), free_port(), free_port()
        manifest = folder / "acme.yaml"
        manifest.write_text(_CHANNEL.format(agent_port=agent_port))
        up = [LMOS, "up", "--port", str(port), "--data", str(folder / label), "-f", str(manifest)]
        raw = [sys.executable, "-m", "benchmarks.raw_endpoint", "--port", str(raw_port)]
        with ExitStack() as stack:
            agent_url = f"http://127.0.0.1:{agent_port}"
            command = [*server, "--port", str(agent_port)]
            stack.enter_context(running(command, f"{agent_url}/readyz", folder / "agent.log"))
            url = f"http://127.0.0.1:{port}"
            process = stack.enter_context(running(up, f"{url}/readyz", folder / "up.log"))
            raw_url = f"http://127.0.0.1:{raw_port}"
            stack.enter_context(running(raw, f"{raw_url}/readyz", folder / "raw.log"))
            arc = ArcClient()
            connector = aiohttp.TCPConnector(limit=CLIENTS)
            async with aiohttp.ClientSession(connector=connector) as http:
                sides = _Sides(http, arc, agent_url, url, raw_url)
                await _measure(session, label, sides, lambda process=process: cpu_seconds(process), rounds)
            await arc.aclose()


def _flush_ms(folder: Path, count: int = 200) -> list[float]:
    """Milliseconds of writing and flushing 4 KiB, which the turn log does once on the way to an answer."""
    taken: list[float] = []
    with (folder / "flush").open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(b"x" * 4096)
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begin) * 1e3)
    return taken


def main(rounds: int = 5) -> Session:
    session = Session("turns")
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        flushes = [percentile(_flush_ms(Path(folder)), 0.5) for _ in range(rounds)]
        session.add("disk flush of 4 KiB, p50", "ms", flushes, note="for information")
        uvloop.run(_session(session, Path(folder), rounds))
    return session
