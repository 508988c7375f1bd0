"""`HttpTransport`: requests to an API server over HTTP/1.1, on kept connections.

`connect` makes it. Ours, on `connection.py`, because requests and events are most of what a reconcile costs, and any
HTTP library costs more than the API server's HTTP needs: see docs/adr/0014. A request that gets 401 is sent once more
with fresh credentials, for tokens expire while we run.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Final
from urllib.parse import urlencode

from lmos.operator.base import StoreError
from lmos.operator.kubernetes.connection import Connection, Lines, Whole
from lmos.operator.kubernetes.credentials import Credentials
from lmos.operator.kubernetes.dialling import Endpoint, dial
from lmos.operator.kubernetes.transport import Answer, Stream, TransportError, Unreachable

__all__ = ["Endpoint", "HttpTransport"]

_KEEP_SECONDS: Final = 60.0
"""Idle connections: a lull between reconciles must not cost a handshake; API servers wait for some minutes."""
_REQUESTS: Final = 32
"""At once: 16 workers, and room for leases, events and lists. Streams do not count, or many watches would block all."""
_UNAUTHORIZED: Final = 401


class HttpTransport:
    """A `Transport` to one endpoint. Use it from one event loop."""

    def __init__(self, endpoint: Endpoint, credentials: Credentials) -> None:
        self._endpoint = endpoint
        self._prefix = endpoint.prefix
        # Compression would cost the server more than it saves on a cluster's network.
        headers = {"Host": endpoint.host, "Accept": "application/json", "Accept-Encoding": "identity"}
        self._headers = _lines_of({**headers, "User-Agent": "lmos", **endpoint.proxy_headers})
        self._credentials = credentials
        self._who: tuple[Mapping[str, str], str] = ({}, "")
        self._slots = asyncio.Semaphore(_REQUESTS)
        self._idle: list[tuple[Connection, float]] = []
        self._open: set[Connection] = set()

    async def authenticate(self) -> None:
        """Get credentials now: a plugin may have somebody log in, for which no request waits long enough."""
        await self._credentials.headers()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        target = self._target(path, query)
        async with self._slots:
            who = await self._credentials.headers()
            answer = await self._ask(self._request(method, target, who, body, content_type))
            if answer.status != _UNAUTHORIZED or not await self._renewed(who):
                return answer
            who = await self._credentials.headers()
            return await self._ask(self._request(method, target, who, body, content_type))

    @asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str] | None = None) -> AsyncGenerator[Stream]:
        target = self._target(path, query)
        who = await self._credentials.headers()
        connection, lines = await self._begin(self._request("GET", target, who))
        try:
            if lines.status == _UNAUTHORIZED and await self._renewed(who):
                self._drop(connection)
                who = await self._credentials.headers()
                connection, lines = await self._begin(self._request("GET", target, who))
            yield Stream(lines.status, self._told(lines), lines.headers)
        finally:
            self._drop(connection)

    async def aclose(self) -> None:
        for connection in self._open:
            connection.abort()
        self._open.clear()
        self._idle.clear()
        await asyncio.sleep(0)  # sockets close in the next round of the loop, which may be its last

    async def _ask(self, request: bytes) -> Answer:
        connection = await self._connection()
        whole = Whole()
        try:
            connection.send(request, whole)
            return await whole.answer
        except OSError as error:
            raise _broken(self._endpoint.url, error) from error
        finally:
            self._give_back(connection)

    async def _begin(self, request: bytes) -> tuple[Connection, Lines]:
        """A stream whose headers have come; the caller drops the connection."""
        connection = await self._connection()
        lines = Lines(connection)
        try:
            connection.send(request, lines)
            await lines.begun()
        except BaseException as error:
            self._drop(connection)
            if isinstance(error, OSError):
                raise _broken(self._endpoint.url, error) from error
            raise
        return connection, lines

    async def _told(self, lines: Lines) -> AsyncIterator[bytes]:
        try:
            async for line in lines.lines():
                yield line
        except OSError as error:
            raise _broken(self._endpoint.url, error) from error

    async def _renewed(self, who: Mapping[str, str]) -> bool:
        """Whether there are other credentials than those that were refused."""
        if not await self._credentials.renew(who):
            return False
        for connection, _ in self._idle:  # an old client certificate belongs to its connection
            self._drop(connection)
        self._idle.clear()
        return True

    async def _connection(self) -> Connection:
        """The connection that was used last, or a new one."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection, since = self._idle.pop()
            if connection.usable and now - since < _KEEP_SECONDS:
                return connection
            self._drop(connection)
        try:
            connection = await dial(self._endpoint)
        except OSError as error:
            raise Unreachable(_unreachable(self._endpoint.url, error)) from error
        self._open.add(connection)
        return connection

    def _give_back(self, connection: Connection) -> None:
        if connection.usable and connection in self._open:
            self._idle.append((connection, asyncio.get_running_loop().time()))
        else:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        connection.abort()
        self._open.discard(connection)

    def _target(self, path: str, query: Mapping[str, str] | None) -> str:
        target = self._prefix + path + (_encoded(tuple(query.items())) if query else "")
        if not (target.isascii() and target.isprintable()) or " " in target:
            raise StoreError(f"{target!r} is no path of an API server; correct the name in it")
        return target

    def _request(
        self, method: str, target: str, who: Mapping[str, str], body: bytes | None = None, content_type: str = ""
    ) -> bytes:
        if who is not self._who[0]:
            self._who = who, _lines_of(who)
        head = f"{method} {target} HTTP/1.1\r\n{self._headers}{self._who[1]}"
        if body is None:
            return f"{head}\r\n".encode()
        return f"{head}Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@lru_cache(maxsize=256)
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    # Writes have one of a few queries; encoding it anew would be a twentieth of their cost.
    return "?" + urlencode(query)


def _lines_of(headers: Mapping[str, str]) -> str:
    for name, value in headers.items():
        if "\r" in value or "\n" in value:
            raise StoreError(f"the header {name} would have two lines; correct the token or password that is in it")
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


def _broken(server: str, error: OSError) -> TransportError:
    return TransportError(f"the connection to the API server {server} broke: {_said(error)}; try again")


def _unreachable(server: str, error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        fix = "check certificate-authority and server of the kubeconfig's cluster"
    else:
        fix = "is it running, and is `server` of the kubeconfig's cluster right?"
    return f"the API server {server} cannot be reached: {_said(error)}; {fix}"


def _said(error: OSError) -> str:
    return str(error) or type(error).__name__
