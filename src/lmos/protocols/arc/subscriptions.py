"""The server's side of graphql-transport-ws: one `Connection` per WebSocket.

Written here and not taken from a GraphQL server library because ARC asks for more than the protocol says: its Kotlin
client offers no sub-protocol and dies of JSON pings and of a `next` without data, its servers send `complete` after
`error`. It knows frames and operations; what an operation means is `execution`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, cast

from opentelemetry import context as otel_context
from opentelemetry import propagate
from starlette.websockets import WebSocket, WebSocketDisconnect

from lmos.protocols.arc import frames
from lmos.protocols.arc.execution import ArcExecutor, BadOperation, Operation, OperationFailed
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["Connection", "Limits"]

_TRACEPARENT: Final = "traceparent"
_REASON_BYTES: Final = 120

_log = logger("protocols.arc")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take. Times are seconds; `subscriptions` counts those that run at once on one connection."""

    frame_bytes: int = 1_048_576
    subscriptions: int = 100
    init_timeout: float = 10.0


class _Violation(Exception):
    """The client broke the protocol: the socket is closed with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Connection:
    """Serves one accepted WebSocket until it ends; then no operation of it runs any more."""

    def __init__(self, socket: WebSocket, executor: ArcExecutor, limits: Limits) -> None:
        self._socket = socket
        self._executor = executor
        self._limits = limits
        self._initialised = False
        self._by_id: dict[str, asyncio.Task[None]] = {}
        # Operations that a client completed leave `_by_id` at once and this set when their agent has stopped.
        self._running: set[asyncio.Task[None]] = set()
        # Headers speak of the socket's first turn only; later ones bring their own trace in `extensions`.
        self._trace: Mapping[str, str] = socket.headers

    async def serve(self) -> None:
        violation: _Violation | None = None
        try:
            await self._initialise()
            while True:
                await self._handle(await self._receive())
        except WebSocketDisconnect:
            pass
        except _Violation as broken:
            violation = broken
        finally:
            await self._stop()
        if violation is not None:
            await self._close(violation)

    async def _initialise(self) -> None:
        try:
            async with asyncio.timeout(self._limits.init_timeout):
                while not self._initialised:
                    await self._handle(await self._receive())
        except TimeoutError:
            raise _Violation(frames.INIT_TIMEOUT, "Connection initialisation timeout") from None

    async def _receive(self) -> dict[str, Any]:
        message = await self._socket.receive()
        if message["type"] != "websocket.receive":
            raise WebSocketDisconnect(message.get("code", 1006))
        text = message.get("text")
        if text is None:
            raise _Violation(frames.BAD_FRAME, "frame is not text")
        if _exceeds(text, self._limits.frame_bytes):
            raise _Violation(frames.TOO_BIG, f"frame is larger than {self._limits.frame_bytes} bytes")
        try:
            return frames.parse(text)
        except frames.FrameError as error:
            raise _Violation(frames.BAD_FRAME, str(error)) from None

    async def _handle(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "connection_init":
                await self._acknowledge(frame)
            case "subscribe":
                await self._subscribe(frame)
            case "complete":
                self._complete(_id_of(frame))
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case unknown:
                raise _Violation(frames.BAD_FRAME, f"unknown frame type {unknown!r:.60}")

    async def _acknowledge(self, frame: dict[str, Any]) -> None:
        if self._initialised:
            raise _Violation(frames.TOO_MANY_INITS, "Too many initialisation requests")
        if not isinstance(frame.get("payload"), dict | None):
            raise _Violation(frames.BAD_FRAME, "connection_init: payload is not an object")
        await self._send({"type": "connection_ack"})
        self._initialised = True

    async def _subscribe(self, frame: dict[str, Any]) -> None:
        if not self._initialised:
            raise _Violation(frames.NOT_INITIALISED, "Unauthorized")
        operation_id = _id_of(frame)
        if operation_id in self._by_id:
            raise _Violation(frames.DUPLICATE_ID, f"Subscriber for {operation_id[:60]} already exists")
        operation, extensions = _operation_of(frame, self._socket.headers.get("x-subset"))
        if len(self._running) >= self._limits.subscriptions:
            await self._fail(
                operation_id, [{"message": f"more than {self._limits.subscriptions} subscriptions at once"}]
            )
            return
        trace, self._trace = extensions if _TRACEPARENT in extensions else self._trace, {}
        task = asyncio.create_task(self._run(operation_id, operation, trace))
        self._by_id[operation_id] = task
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _complete(self, operation_id: str) -> None:
        if (task := self._by_id.pop(operation_id, None)) is not None:
            task.cancel()

    async def _run(self, operation_id: str, operation: Operation, trace: Mapping[str, str]) -> None:
        if _TRACEPARENT in trace:
            otel_context.attach(propagate.extract(trace))
        try:
            async with aclosing(self._executor.stream(operation)) as stream:
                async for data in stream:
                    await self._send({"id": operation_id, "type": "next", "payload": {"data": data}})
        except OperationFailed as failure:
            await self._fail(operation_id, failure.errors)
        except frames.FrameError as error:
            await self._fail(operation_id, [{"message": f"The agent's result {error}"}])
        except WebSocketDisconnect:
            # The reading side sees it too, and ends the connection.
            return
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            # The agent cancelled itself; its asker must not wait for ever.
            await self._fail(operation_id, [{"message": "The agent was cancelled"}])
        else:
            await self._send({"id": operation_id, "type": "complete"})
        finally:
            if self._by_id.get(operation_id) is asyncio.current_task():
                del self._by_id[operation_id]

    async def _fail(self, operation_id: str, errors: list[dict[str, Any]]) -> None:
        await self._send({"id": operation_id, "type": "error", "payload": errors})
        # ARC's servers send both, and graphql-transport-ws clients drop a `complete` for what has ended.
        await self._send({"id": operation_id, "type": "complete"})

    async def _send(self, frame: dict[str, Any]) -> None:
        await self._socket.send({"type": "websocket.send", "text": frames.encode(frame).decode()})

    async def _stop(self) -> None:
        """Cancel every operation and wait until their agents have let go."""
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
                _log.error(names.EVENT_ARC_OPERATION_BROKE, error=str(outcome), kind=type(outcome).__name__)

    async def _close(self, violation: _Violation) -> None:
        reason = violation.reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        _log.info(names.EVENT_ARC_CONNECTION_REFUSED, code=violation.code, reason=reason)
        try:
            await self._socket.close(violation.code, reason)
        except WebSocketDisconnect:
            return


def _exceeds(text: str, limit: int) -> bool:
    """Whether `text` takes more than `limit` bytes; encoded only when its length leaves that open."""
    return len(text) > limit or (4 * len(text) > limit and len(text.encode()) > limit)


def _id_of(frame: dict[str, Any]) -> str:
    operation_id = frame.get("id")
    if not isinstance(operation_id, str) or not operation_id:
        raise _Violation(frames.BAD_FRAME, f"{frame['type']}: id is not a text")
    return operation_id


def _operation_of(frame: dict[str, Any], subset: str | None) -> tuple[Operation, Mapping[str, str]]:
    """The operation of a `subscribe` frame, and its `extensions`."""
    payload = frame.get("payload")
    try:
        operation = Operation.of(payload, subset)
    except BadOperation as error:
        raise _Violation(frames.BAD_FRAME, f"subscribe: {error}") from None
    extensions = cast("dict[str, Any]", payload).get("extensions")
    if not isinstance(extensions, dict | None):
        raise _Violation(frames.BAD_FRAME, "subscribe: extensions is not an object")
    members = cast("dict[str, Any]", extensions or {})
    return operation, {key: value for key, value in members.items() if isinstance(value, str)}
