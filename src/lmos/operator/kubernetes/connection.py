"""One HTTP/1.1 connection to an API server: a request, its answer, the next request. `HttpTransport` keeps some.

The bytes of answers are taken apart by httptools (llhttp), which uvicorn uses, too. A connection knows neither TLS nor
credentials, and nothing of what is asked. Whoever sends a request gives a `Sink`, which is called as the answer comes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Final, Protocol, cast

import httptools

from lmos.operator.kubernetes.transport import Answer

__all__ = ["Connection", "Lines", "Sink", "Whole"]

_BUFFERED: Final = 2**18
"""Bytes that a stream may be ahead of its reader; then the server has to wait."""
_CLOSED: Final = "the server closed it before the answer was complete"


class Sink(Protocol):
    """Takes one answer: `begin`, then `data`, then `end`; or `fail` at any time, as the last call."""

    def begin(self, status: int, headers: Mapping[str, str]) -> None: ...

    def data(self, piece: bytes) -> None: ...

    def end(self) -> None: ...

    def fail(self, error: OSError) -> None: ...


class Connection(asyncio.Protocol):
    """Carries one exchange at a time; `usable` tells whether another one may begin."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._sink: Sink | None = None
        self._headers: dict[str, str] = {}
        self._interim = self._until_closed = False
        self._kept = True

    @property
    def usable(self) -> bool:
        return self.transport is not None and self._sink is None and self._kept

    def send(self, request: bytes, sink: Sink) -> None:
        """Send a whole request. Raises `OSError` when the connection is gone."""
        if self.transport is None or not self.usable:
            raise ConnectionError("it is closed")
        self._sink, self._until_closed = sink, False
        self.transport.write(request)

    def abort(self) -> None:
        """Drop it at once, without the goodbyes of TLS: a server that hangs could have us wait for them."""
        self._kept = False
        if self.transport is not None:
            self.transport.abort()

    def adopt(self, transport: asyncio.Transport) -> None:
        """Go on over `transport`, as after a proxy has made a tunnel, with nothing remembered of what was before."""
        self.transport = transport
        self._parser = httptools.HttpResponseParser(self)
        self._sink, self._headers = None, {}
        self._interim = self._until_closed = False
        self._kept = True

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._sink is None:  # nobody has asked
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(ConnectionError(f"what came is no HTTP answer: {error}"))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._sink is not None and exc is None and self._until_closed:
            self._end()
        else:
            self._fail(exc if isinstance(exc, OSError) else ConnectionError(str(exc or _CLOSED)))

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        status, headers = self._parser.get_status_code(), self._headers
        self._headers = {}
        self._interim = 100 <= status < 200
        if self._interim or self._sink is None:
            return
        self._until_closed = "content-length" not in headers and "transfer-encoding" not in headers
        self._sink.begin(status, headers)

    def on_body(self, body: bytes) -> None:
        if self._sink is not None:
            self._sink.data(body)

    def on_message_complete(self) -> None:
        if not self._interim:
            self._kept = self._parser.should_keep_alive()
            self._end()

    def _end(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.end()

    def _fail(self, error: OSError) -> None:
        self._kept = False
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.fail(error)


class Whole:
    """An answer that is wanted when it is complete: `await whole.answer`, which raises `OSError`.

    With `head_only` it is complete when its headers are there.
    """

    def __init__(self, *, head_only: bool = False) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._head_only = head_only
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._pieces: list[bytes] = []

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self._status, self._headers = status, headers
        if self._head_only:
            self.end()

    def data(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def end(self) -> None:
        if not self.answer.done():
            self.answer.set_result(Answer(self._status, b"".join(self._pieces), self._headers))

    def fail(self, error: OSError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Lines:
    """An answer that is read line by line while it comes. All that waits raises `OSError`."""

    def __init__(self, connection: Connection) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._connection = connection
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = self._paused = False
        self._fault: OSError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.status, self.headers = status, headers
        self._wake()

    def data(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _BUFFERED and not self._paused and self._connection.transport is not None:
            self._paused = True
            self._connection.transport.pause_reading()
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    def fail(self, error: OSError) -> None:
        self._fault = error
        self._wake()

    async def begun(self) -> None:
        """Wait for status and headers."""
        while not self.status:
            await self._news()

    async def lines(self) -> AsyncGenerator[bytes]:
        """Lines of any length, each as soon as it is there, without their ends."""
        parts: list[bytes] = []  # joined once, at the end of the line
        while (piece := await self._piece()) is not None:
            first, *more = piece.split(b"\n")
            parts.append(first)
            for part in more:
                yield b"".join(parts)
                parts = [part]
        if rest := b"".join(parts):
            yield rest

    async def _piece(self) -> bytes | None:
        while not self._pieces:
            if self._ended:
                return None
            await self._news()
        piece = self._pieces.popleft()
        self._size -= len(piece)
        if self._paused and self._size <= _BUFFERED and self._connection.transport is not None:
            self._paused = False
            self._connection.transport.resume_reading()
        return piece

    async def _news(self) -> None:
        if self._fault is not None:
            raise self._fault
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
