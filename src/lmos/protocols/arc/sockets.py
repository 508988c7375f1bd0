"""Kept WebSockets to agents: `Socket` speaks graphql-transport-ws' opening, `SocketPool` keeps idle ones.

Only `client` uses it. Opening a socket costs thirty times the CPU of a frame on a kept one, so sockets stay; one serves
one turn at a time, so that a broken one harms no other turn. It knows frames, not what they say.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import aiohttp

from lmos.protocols.arc import frames

__all__ = [
    "CLOSED",
    "SILENT",
    "UNREACHABLE",
    "UNREADABLE",
    "Broken",
    "Destination",
    "PoolLimits",
    "Socket",
    "SocketPool",
]

_FAREWELL_SECONDS: Final = 1.0


CLOSED: Final = "closed the connection"
SILENT: Final = "did not answer in time"
UNREACHABLE: Final = "cannot be reached"
UNREADABLE: Final = "sent what cannot be read"


class Broken(Exception):
    """The connection failed; the message says how, in one line, and `summary` without addresses and library texts."""

    def __init__(self, message: str, summary: str) -> None:
        super().__init__(message)
        self.summary = summary


class Destination(NamedTuple):
    """Whom a socket leads to: turns of another subset never share it."""

    url: str
    subset: str | None


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Seconds and counts.

    `connect` bounds TCP, TLS and the handshake, `ack` the wait for `connection_ack`. A socket idle for `idle` or older
    than `lifetime` is closed, so that new addresses and certificates are noticed. `kept` idle sockets a destination,
    `kept_in_all` in all. `heartbeat` is the interval of WebSocket pings.
    """

    connect: float = 5.0
    ack: float = 5.0
    idle: float = 60.0
    lifetime: float = 900.0
    kept: int = 32
    kept_in_all: int = 512
    heartbeat: float = 20.0
    frame_bytes: int = 4_194_304


class Socket:
    """An acknowledged connection. Between turns one `receive` stays pending: it answers pings, and notices the end."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse[Literal[False]], expires: float) -> None:
        self._raw = raw
        self._pending: asyncio.Task[Any] | None = None
        self._turns = 0
        self.expires = expires

    def next_id(self) -> str:
        """An id that no earlier turn of this socket had."""
        self._turns += 1
        return str(self._turns)

    async def send(self, frame: dict[str, Any]) -> None:
        """Raises `ConnectionResetError` when the connection was closed before: then nothing of `frame` was sent."""
        await self._raw.send_frame(frames.encode(frame), aiohttp.WSMsgType.TEXT)

    async def receive(self) -> dict[str, Any]:
        """The next frame that is not a ping. Raises `Broken`."""
        while True:
            pending, self._pending = self._pending, None
            message = await (pending or self._raw.receive())
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise self._end(message)
            try:
                frame = frames.parse(message.data)
            except frames.FrameError as error:
                raise Broken(f"sent garbage: {error}", UNREADABLE) from None
            if frame["type"] != "ping":
                return frame
            try:
                await self.send({"type": "pong"})
            except ConnectionResetError:
                raise Broken("closed the connection", CLOSED) from None

    def rest(self) -> None:
        """The turn is over: watch the connection until the next one."""
        self._pending = asyncio.create_task(self._raw.receive())

    @property
    def alive(self) -> bool:
        """Whether a resting socket has been silent: neither closed nor out of step."""
        return self._pending is not None and not self._pending.done() and not self._raw.closed

    async def abandon(self, operation_id: str) -> None:
        """Tell the agent to stop, then close. Never raises; takes a second at most."""
        with contextlib.suppress(ConnectionError, TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self.send({"id": operation_id, "type": "complete"})
        await self.close()

    async def close(self) -> None:
        """Close without waiting long for the other side's farewell."""
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.gather(self._pending, return_exceptions=True)
            self._pending = None
        await self._raw.close()

    def _end(self, message: Any) -> Broken:
        if message.type is aiohttp.WSMsgType.BINARY:
            return Broken("sent garbage: a binary frame", UNREADABLE)
        if message.type is aiohttp.WSMsgType.ERROR:
            if isinstance(message.data, aiohttp.ServerTimeoutError):
                return Broken("stopped answering pings", SILENT)
            return Broken(f"sent a broken WebSocket frame: {message.data}", UNREADABLE)
        code = self._raw.close_code
        reason = f": {message.extra}" if message.type is aiohttp.WSMsgType.CLOSE and message.extra else ""
        return Broken(f"closed the connection (code {code}{reason})", CLOSED)


class SocketPool:
    """Opens sockets and keeps idle ones. Belongs to one event loop."""

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None
        self._idle: defaultdict[Destination, deque[Socket]] = defaultdict(deque)
        self._timers: dict[Socket, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.opened = 0

    def take(self, destination: Destination) -> Socket | None:
        """A kept socket that is alive, the most recently used one."""
        kept = self._idle.get(destination)
        while kept:
            socket = kept.pop()
            self._timers.pop(socket).cancel()
            if not kept:
                del self._idle[destination]
            if socket.alive:
                return socket
            self.close(socket)
        return None

    def keep(self, destination: Destination, socket: Socket) -> None:
        """Keep an idle socket for the next turn, or close it when there are enough."""
        loop = asyncio.get_running_loop()
        left = min(self._limits.idle, socket.expires - loop.time())
        crowded = len(self._timers) >= self._limits.kept_in_all or len(self._idle[destination]) >= self._limits.kept
        if left <= 0 or crowded or self._session is None:
            self.close(socket)
            return
        socket.rest()
        self._idle[destination].append(socket)
        self._timers[socket] = loop.call_later(left, self._expire, destination, socket)

    async def open(self, destination: Destination, headers: Mapping[str, str]) -> Socket:
        """A fresh, acknowledged socket. Raises `Broken`."""
        limits = self._limits
        try:
            async with asyncio.timeout(limits.connect):
                raw = await self._connect(destination, headers)
        except TimeoutError:
            raise Broken(f"did not accept the connection within {limits.connect:g} s", UNREACHABLE) from None
        except aiohttp.WSServerHandshakeError as error:
            raise Broken(f"refused the WebSocket handshake with HTTP {error.status}", UNREACHABLE) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Broken(f"cannot be reached: {str(error) or type(error).__name__}", UNREACHABLE) from None
        self.opened += 1
        socket = Socket(raw, asyncio.get_running_loop().time() + limits.lifetime)
        try:
            async with asyncio.timeout(limits.ack):
                await socket.send({"type": "connection_init"})
                frame = await socket.receive()
            if frame["type"] != "connection_ack":
                raise Broken(f"answered connection_init with {frame['type']!r:.60}, not connection_ack", UNREACHABLE)
        except BaseException as error:
            self.close(socket)
            if isinstance(error, TimeoutError):
                raise Broken(f"did not acknowledge within {limits.ack:g} s", UNREACHABLE) from None
            if isinstance(error, ConnectionResetError):
                raise Broken("closed the connection before acknowledging it", UNREACHABLE) from None
            raise
        return socket

    async def aclose(self) -> None:
        """Close every idle socket and the session; sockets in use end with `Broken`."""
        for timer in self._timers.values():
            timer.cancel()
        idle = [socket for kept in self._idle.values() for socket in kept]
        self._idle.clear()
        self._timers.clear()
        session, self._session = self._session, None
        await asyncio.gather(*(socket.close() for socket in idle), *self._closing)
        if session is not None:
            await session.close()

    async def _connect(
        self, destination: Destination, headers: Mapping[str, str]
    ) -> aiohttp.ClientWebSocketResponse[Literal[False]]:
        if self._session is None:
            # No cookies: what one turn is given must not travel with another.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
            )
        extra = {} if destination.subset is None else {"x-subset": destination.subset}
        return await self._session.ws_connect(
            destination.url,
            protocols=(frames.SUBPROTOCOL,),
            headers={**headers, **extra},
            heartbeat=self._limits.heartbeat,
            max_msg_size=self._limits.frame_bytes,
            timeout=aiohttp.ClientWSTimeout(ws_close=_FAREWELL_SECONDS),  # pyright: ignore[reportCallIssue] - attrs
            decode_text=False,
        )

    def abandon(self, socket: Socket, operation_id: str) -> None:
        """Tell the agent to stop and close the socket, without waiting: whoever gives up has no time."""
        self._later(socket.abandon(operation_id))

    def close(self, socket: Socket) -> None:
        """Close a socket that is of no more use, without waiting."""
        self._later(socket.close())

    def _expire(self, destination: Destination, socket: Socket) -> None:
        del self._timers[socket]
        kept = self._idle[destination]
        kept.remove(socket)
        if not kept:
            del self._idle[destination]
        self.close(socket)

    def _later(self, farewell: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(farewell)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
