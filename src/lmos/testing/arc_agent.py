"""`FakeArcAgent`: an ARC agent on a real socket that says, or breaks, what the test tells it to.

    async with FakeArcAgent([[Intermediate("One moment"), "Hello."], [Drop()]]) as agent:
        client.ask(agent.url, request)

It speaks graphql-transport-ws as ARC's servers do; what it sends is not checked against what was selected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from lmos.clock import SystemClock
from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer
from lmos.conversation.messages import Message
from lmos.protocols.arc.frames import SUBPROTOCOL, encode, parse
from lmos.protocols.arc.results import ResultWriter
from lmos.protocols.arc.types import from_wire
from lmos.testing.faults import AgentError, Drop, Garbage, Pause, Silence
from lmos.testing.loopback import serving

__all__ = ["ArcStep", "AskedAgent", "FakeArcAgent"]

ArcStep = str | AgentEvent | AgentError | Drop | Garbage | Silence | Pause
"""A text is the answer. A turn whose steps end otherwise than by a fault is completed after them."""


@dataclass(frozen=True)
class AskedAgent:
    """One request: what was asked, by whom it was meant, and the headers of its socket (lower-case names)."""

    request: AgentRequest
    agent_name: str | None
    headers: dict[str, str]


class FakeArcAgent:
    """Answers turns in the order of `script`, then with `default`; without one it reports an error.

    `asked` holds the requests, `sockets` counts connections, `cancelled` turns that the asker ended early. `url` is the
    base URL for an Agent's endpoint.
    """

    def __init__(
        self, script: Sequence[str | Sequence[ArcStep]] = (), *, default: str | Sequence[ArcStep] | None = None
    ) -> None:
        self._script = list(script)
        self._default = default
        self._running: AbstractAsyncContextManager[str] | None = None
        self.asked: list[AskedAgent] = []
        self.sockets = 0
        self.cancelled = 0
        self.url = ""
        self.app = Starlette(routes=[WebSocketRoute("/subscriptions", self._serve)])

    async def __aenter__(self) -> Self:
        self._running = serving(self.app)
        self.url = await self._running.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._running is not None:
            await self._running.__aexit__(kind, error, traceback)

    async def _serve(self, socket: WebSocket) -> None:
        offered: list[str] = socket.scope["subprotocols"]
        await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        self.sockets += 1
        turns: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                frame = parse(await socket.receive_text())
                operation_id = str(frame.get("id"))
                if frame["type"] == "connection_init":
                    await _send(socket, {"type": "connection_ack"})
                elif frame["type"] == "subscribe":
                    turns[operation_id] = asyncio.create_task(self._turn(socket, operation_id, frame["payload"]))
                elif frame["type"] == "complete" and (turn := turns.pop(operation_id, None)) is not None:
                    self.cancelled += not turn.done()
                    turn.cancel()
        except WebSocketDisconnect:
            self.cancelled += sum(not turn.done() for turn in turns.values())
        finally:
            for turn in turns.values():
                turn.cancel()
            await asyncio.gather(*turns.values(), return_exceptions=True)

    async def _turn(self, socket: WebSocket, operation_id: str, payload: dict[str, Any]) -> None:
        variables: dict[str, Any] = payload.get("variables") or {}
        request = from_wire(variables["request"], subset=socket.headers.get("x-subset"))
        self.asked.append(AskedAgent(request, variables.get("agentName"), dict(socket.headers)))
        steps = self._script.pop(0) if self._script else self._default
        if steps is None:
            steps = [AgentError("the script of FakeArcAgent has no more turns")]
        writer = ResultWriter(SystemClock(), request)
        for step in [steps] if isinstance(steps, str) else steps:
            if not await self._step(socket, operation_id, step, writer):
                return
        await _send(socket, {"id": operation_id, "type": "complete"})

    async def _step(self, socket: WebSocket, operation_id: str, step: ArcStep, writer: ResultWriter) -> bool:
        """Act `step` out; false when it ends the turn."""
        match step:
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Silence():
                await asyncio.Event().wait()
            case Drop():
                await _drop(socket)
                return False
            case Garbage(text):
                await socket.send_text(text)
                return False
            case AgentError(message):
                await _send(socket, {"id": operation_id, "type": "error", "payload": [{"message": message}]})
                await _send(socket, {"id": operation_id, "type": "complete"})
                return False
            case _:
                event = Answer(Message(role="assistant", content=step)) if isinstance(step, str) else step
                result = writer.write(event)
                if result is not None:
                    payload = {"data": {"agent": result.to_wire()}}
                    await _send(socket, {"id": operation_id, "type": "next", "payload": payload})
        return True


async def _send(socket: WebSocket, frame: dict[str, Any]) -> None:
    if socket.application_state is WebSocketState.CONNECTED:
        await socket.send_text(encode(frame).decode())


async def _drop(socket: WebSocket) -> None:
    """End the connection. ASGI knows no abort: the close frame with code 1011 is the nearest."""
    await socket.close(1011)
