"""`ArcClient`: asks agents that speak ARC, Kotlin's and ours alike.

The runtime wraps it into its `AgentClient` port. It knows URLs and ARC; which agent to ask, and for how long, is the
caller's: a turn has no deadline here beyond the wait for the agent's first sign of life.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any, Final, cast
from urllib.parse import urlsplit

from opentelemetry import propagate, trace
from pydantic import ValidationError

from lmos.conversation.errors import AgentFailed
from lmos.conversation.exchange import AgentEvent, AgentRequest
from lmos.protocols.arc.results import ResultReader
from lmos.protocols.arc.sockets import (
    CLOSED,
    SILENT,
    UNREACHABLE,
    UNREADABLE,
    Broken,
    Destination,
    PoolLimits,
    Socket,
    SocketPool,
)
from lmos.protocols.arc.types import AgentResult, to_wire
from lmos.resources.endpoints import BadEndpoint, subscription_url

__all__ = ["ArcClient", "PoolLimits"]

_FIELDS: Final = (
    "status responseTime context { key value } anonymizationEntities { type value replacement } "
    "messages { content format role }"
)
_NEWER_FIELDS: Final = "type toolCalls { name arguments }"
_QUERY: Final = (
    "subscription ($request: AgentRequestInput!, $agentName: String) "
    "{{ agent(request: $request, agentName: $agentName) {{ {} }} }}"
)
FULL_QUERY: Final = _QUERY.format(f"{_NEWER_FIELDS} {_FIELDS}")
# Agents up to ARC 0.126.0 know neither `type` nor `toolCalls`.
OLDER_QUERY: Final = _QUERY.format(_FIELDS)

_UNKNOWN_FIELD: Final = re.compile(
    r"FieldUndefined.*\b(type|toolCalls)\b.*|Cannot query field ['\"](type|toolCalls)['\"] on type ['\"]AgentResult"
)

_RELEARN_SECONDS: Final = 600.0
_MESSAGE_CHARS: Final = 500


class _FieldsUnknown(Exception):
    """The agent's schema lacks `type` or `toolCalls`; nothing was executed."""


class ArcClient:
    """Asks agents over kept WebSockets; one client serves one event loop.

    `first_frame_timeout` is the wait, in seconds, for any sign of the agent after it was asked.
    """

    def __init__(self, *, limits: PoolLimits | None = None, first_frame_timeout: float = 120.0) -> None:
        self._pool = SocketPool(limits or PoolLimits())
        self._first_frame_timeout = first_frame_timeout
        self._older: dict[str, float] = {}

    @property
    def sockets_opened(self) -> int:
        """How many sockets were opened so far."""
        return self._pool.opened

    async def ask(
        self, url: str, request: AgentRequest, *, subset: str | None = None, agent_name: str | None = None
    ) -> AsyncGenerator[AgentEvent]:
        """Events of the agent at `url`, the last an `Answer`.

        `url` is a base or a host, as `lmos.resources.endpoints.subscription_url` reads it; `subset` becomes the header
        `x-subset`. Raises `AgentFailed`. Closing or cancelling tells the agent to stop.
        """
        destination = _destination(url, subset)
        variables = to_wire(request, agent_name)
        try:
            if not self._is_older(destination.url):
                try:
                    async with aclosing(self._turn(destination, FULL_QUERY, variables)) as events:
                        async for event in events:
                            yield event
                    return
                except _FieldsUnknown:
                    self._older[destination.url] = asyncio.get_running_loop().time() + _RELEARN_SECONDS
            async with aclosing(self._turn(destination, OLDER_QUERY, variables)) as events:
                async for event in events:
                    yield event
        except (Broken, AgentFailed) as error:
            said = f"agent at {_place(destination.url)} {_line(str(error))}"
            raise AgentFailed(said, summary=error.summary) from None

    async def aclose(self) -> None:
        """Close kept sockets; turns that still run fail."""
        await self._pool.aclose()

    def _is_older(self, url: str) -> bool:
        """Whether the agent lately knew the older schema only. Forgotten in time, for it may have been upgraded."""
        until = self._older.get(url)
        if until is not None and until < asyncio.get_running_loop().time():
            del self._older[url]
            return False
        return until is not None

    async def _turn(
        self, destination: Destination, query: str, variables: dict[str, Any]
    ) -> AsyncGenerator[AgentEvent]:
        carrier = _trace_carrier()
        payload: dict[str, Any] = {"query": query, "variables": variables}
        if carrier:
            # A kept socket outlives the trace in its handshake, so each turn brings its own.
            payload["extensions"] = carrier
        socket, operation_id = await self._begin(destination, payload, carrier)
        completed = False
        try:
            reader = ResultReader()
            frame = await self._first_frame(socket, operation_id)
            if query is FULL_QUERY and frame["type"] == "error" and _lacks_newer_fields(frame.get("payload")):
                raise _FieldsUnknown
            while frame["type"] != "complete":
                for event in reader.read(_result(frame)):
                    yield event
                frame = await self._frame(socket, operation_id)
            completed = True
        finally:
            if not completed:
                self._pool.abandon(socket, operation_id)
        self._pool.keep(destination, socket)
        for event in reader.finish():
            yield event

    async def _begin(
        self, destination: Destination, payload: dict[str, Any], headers: dict[str, str]
    ) -> tuple[Socket, str]:
        """Send the question. Only a kept socket that was closed before it could be sent is replaced by another.

        Once it has been sent the agent may have acted, and asking again could act twice.
        """
        while (kept := self._pool.take(destination)) is not None:
            operation_id = kept.next_id()
            try:
                await self._subscribe(kept, operation_id, payload)
            except ConnectionResetError:
                self._pool.close(kept)
            else:
                return kept, operation_id
        fresh = await self._pool.open(destination, headers)
        operation_id = fresh.next_id()
        try:
            await self._subscribe(fresh, operation_id, payload)
        except ConnectionResetError:
            self._pool.close(fresh)
            raise Broken("closed the connection", CLOSED) from None
        return fresh, operation_id

    async def _subscribe(self, socket: Socket, operation_id: str, payload: dict[str, Any]) -> None:
        try:
            await socket.send({"id": operation_id, "type": "subscribe", "payload": payload})
        except asyncio.CancelledError:
            # Large frames wait for the network, and may have left.
            self._pool.abandon(socket, operation_id)
            raise

    async def _first_frame(self, socket: Socket, operation_id: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._first_frame_timeout):
                return await self._frame(socket, operation_id)
        except TimeoutError:
            raise Broken(f"did not answer within {self._first_frame_timeout:g} s", SILENT) from None

    async def _frame(self, socket: Socket, operation_id: str) -> dict[str, Any]:
        """The next `next`, `error` or `complete` of this turn. Raises `Broken`."""
        while True:
            frame = await socket.receive()
            kind = frame["type"]
            if kind == "pong":
                continue
            if kind not in ("next", "error", "complete"):
                raise Broken(f"sent garbage: unexpected frame type {kind!r:.60}", UNREADABLE)
            frame_id = frame.get("id")
            if frame_id is None and kind != "error":
                raise Broken(f"sent garbage: {kind!r} without id", UNREADABLE)
            # Late frames of an earlier turn, as of ARC's `complete` after `error`.
            if frame_id not in (None, operation_id):
                continue
            return frame


def _destination(url: str, subset: str | None) -> Destination:
    try:
        return Destination(subscription_url(url), subset)
    except BadEndpoint as error:
        raise AgentFailed(str(error), summary=UNREACHABLE) from None


def _result(frame: dict[str, Any]) -> AgentResult:
    """The result in a `next` frame. Raises `AgentFailed`, also for an `error` frame, or `Broken`."""
    payload: Any = frame.get("payload")
    if frame["type"] == "error":
        raise _failure(payload)
    members = cast("dict[str, Any]", payload) if isinstance(payload, dict) else {}
    if members.get("errors"):
        raise _failure(members["errors"])
    data: Any = members.get("data")
    agent = cast("dict[str, Any]", data).get("agent") if isinstance(data, dict) else None
    if agent is None:
        raise Broken("sent garbage: a result without data.agent", UNREADABLE)
    try:
        return AgentResult.model_validate(agent)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Broken(f"sent garbage: data.agent.{where}: {first['msg']}", UNREADABLE) from None


def _failure(errors: object) -> AgentFailed:
    return AgentFailed(f"failed: {'; '.join(_messages(errors)) or 'no message'}")


def _lacks_newer_fields(errors: object) -> bool:
    """Whether a validator refused `type` or `toolCalls`: graphql-java, graphql-core or graphql-js by their texts."""
    return any(_UNKNOWN_FIELD.search(message) for message in _messages(errors))


def _messages(errors: object) -> Iterable[str]:
    for error in cast("list[object]", errors) if isinstance(errors, list) else [errors]:
        message = cast("dict[str, object]", error).get("message") if isinstance(error, dict) else error
        yield message if isinstance(message, str) else repr(message)


def _trace_carrier() -> dict[str, str]:
    if not trace.get_current_span().get_span_context().is_valid:
        return {}
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


def _place(url: str) -> str:
    """Host and port: what a reader of the message needs to know."""
    return urlsplit(url).netloc


def _line(text: str) -> str:
    return " ".join(text.split())[:_MESSAGE_CHARS]
