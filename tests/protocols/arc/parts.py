"""What the ARC tests share: requests, agents that do as told, and a raw client that writes frames by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
from aiohttp import web
from starlette.applications import Starlette

from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer
from lmos.conversation.messages import KeyValue, Message, User
from lmos.protocols.arc.client import FULL_QUERY
from lmos.protocols.arc.server import Limits, arc_routes
from lmos.testing import serving

DATA = Path(__file__).parents[2] / "data" / "arc"

Frame = dict[str, Any]


def request(text: str = "hello", **members: Any) -> AgentRequest:
    defaults: dict[str, Any] = {
        "conversation_id": "conv-1",
        "messages": (Message(role="user", content=text),),
        "user": User(id="user-1"),
        "turn_id": "turn-1",
    }
    return AgentRequest(**{**defaults, **members})


def answer(text: str, **members: Any) -> Answer:
    return Answer(Message(role="assistant", content=text), **members)


class ScriptedService:
    """Says the given events; an exception among them is raised."""

    names = ("billing", "contract")

    def __init__(self, *script: AgentEvent | BaseException) -> None:
        self.script = script
        self.asked: list[tuple[str | None, AgentRequest]] = []

    async def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent]:
        self.asked.append((agent_name, request))
        for step in self.script:
            if isinstance(step, BaseException):
                raise step
            yield step


class EchoService:
    """Answers `<conversation>:<text>`, after letting others go first."""

    names = ("echo",)

    async def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent]:
        await asyncio.sleep(0)
        yield answer(f"{request.conversation_id}:{request.query}", context=(KeyValue(key="echo", value="yes"),))


class PatientService:
    """Works until it is told to stop, and records that it was."""

    names = ("patient",)

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()

    async def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent]:
        self.started.set()
        try:
            await asyncio.Event().wait()
            yield answer("never")
        finally:
            self.stopped.set()


@asynccontextmanager
async def arc_server(service: Any, **limits: Any) -> AsyncGenerator[str]:
    """Base URL of a real server with the ARC surface of `service`."""
    async with serving(Starlette(routes=arc_routes(service, limits=Limits(**limits)))) as url:
        yield url


class RawClient:
    """A WebSocket that sends what it is told."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = raw

    async def send(self, frame: object) -> None:
        await self.raw.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def receive(self) -> Frame:
        message = await self.raw.receive(timeout=5)
        assert message.type is aiohttp.WSMsgType.TEXT, (message, self.raw.close_code)
        return cast("Frame", json.loads(cast("str", message.data)))

    async def closed_with(self) -> int | None:
        message = await self.raw.receive(timeout=5)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED), message
        return self.raw.close_code

    async def initialise(self) -> None:
        await self.send({"type": "connection_init"})
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, operation_id: str = "1", **payload: Any) -> None:
        await self.send({"id": operation_id, "type": "subscribe", "payload": subscription(**payload)})


def subscription(**members: Any) -> dict[str, Any]:
    return {"query": FULL_QUERY, "variables": {"request": wire_request(), "agentName": None}, **members}


def wire_request(text: str = "hello", **members: Any) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": text, "format": "text", "turnId": None, "binaryData": None}],
        "conversationContext": {"conversationId": "conv-1", "turnId": "turn-1", "anonymizationEntities": []},
        "systemContext": [],
        "userContext": {"userId": "user-1", "userToken": None, "profile": []},
        **members,
    }


@asynccontextmanager
async def raw_client(
    url: str, protocols: tuple[str, ...] = ("graphql-transport-ws",), headers: dict[str, str] | None = None
) -> AsyncGenerator[RawClient]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/subscriptions", protocols=protocols, headers=headers) as raw,
    ):
        yield RawClient(raw)


Behaviour = Callable[[web.WebSocketResponse, Frame], Awaitable[None]]


class FaultyAgent:
    """An ARC agent that acknowledges, then does to each `subscribe` frame as `behaviour` says.

    With `farewell` it closes after the acknowledgement. `left` is set when a connection has ended.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        *,
        acknowledges: bool = True,
        farewell: bool = False,
        protocols: tuple[str, ...] = ("graphql-transport-ws",),
    ) -> None:
        self.behaviour = behaviour
        self.acknowledges = acknowledges
        self.farewell = farewell
        self.protocols = protocols
        self.connections: list[web.Request] = []
        self.frames: list[Frame] = []
        self.left = asyncio.Event()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=self.protocols)
        await socket.prepare(request)
        self.connections.append(request)
        self.left.clear()
        try:
            async for message in socket:
                await self.react(socket, cast("Frame", json.loads(cast("str", message.data))))
        finally:
            self.left.set()
        return socket

    async def react(self, socket: web.WebSocketResponse, frame: Frame) -> None:
        self.frames.append(frame)
        if frame["type"] == "connection_init" and self.acknowledges:
            await socket.send_json({"type": "connection_ack"})
            if self.farewell:
                await socket.close()
        elif frame["type"] == "subscribe":
            await self.behaviour(socket, frame)

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncGenerator[str]:
        app = web.Application()
        app.router.add_get("/subscriptions", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        try:
            host, bound = runner.addresses[0][:2]
            yield f"http://{host}:{bound}"
        finally:
            await runner.cleanup()


def result(operation_id: str, text: str | None = "fine", **members: Any) -> Frame:
    """A `next` frame in ARC's own order of members."""
    messages = [] if text is None else [{"role": "assistant", "content": text, "format": "text"}]
    agent = {"status": "null", "responseTime": 0.1, "messages": messages, "type": "MESSAGE", **members}
    return {"id": operation_id, "payload": {"data": {"agent": agent}}, "type": "next"}


def complete(operation_id: str) -> Frame:
    return {"id": operation_id, "type": "complete"}


async def collect(events: AsyncIterator[AgentEvent]) -> list[AgentEvent]:
    return [event async for event in events]
