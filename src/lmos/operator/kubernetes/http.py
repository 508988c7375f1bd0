"""`HttpTransport`: requests to an API server over HTTP/1.1, on kept connections. The one file here that knows aiohttp.

`connect` makes it. aiohttp, because a server-side apply costs 0.3 ms of CPU through it and three times that through
httpx2. A request that gets 401 is sent once more with fresh credentials, for tokens expire while we run.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Final
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from lmos.operator.kubernetes.credentials import Credentials
from lmos.operator.kubernetes.transport import Answer, Stream, TransportError, Unreachable

__all__ = ["Endpoint", "HttpTransport"]

_CONNECT_SECONDS: Final = 10.0
_KEEP_SECONDS: Final = 60.0
"""Idle connections: a lull between reconciles must not cost a handshake; API servers wait for some minutes."""
_REQUESTS: Final = 80
"""At once: of 2 x 32 workers, with room for the Lease, events and lists. Streams, which may be many, do not count."""
_LARGE: Final = 2**20
"""Bodies of more bytes go out in pieces, with room for others in between: aiohttp warns of larger ones."""
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the API server is. `url` may end in a path, as behind Rancher; `tls_name` is what its certificate names."""

    url: str
    tls: ssl.SSLContext | None = None
    tls_name: str | None = None
    proxy: str | None = None


class HttpTransport:
    """A `Transport` to one endpoint. Use it from one event loop."""

    def __init__(self, endpoint: Endpoint, credentials: Credentials) -> None:
        self._endpoint = endpoint
        self._root = endpoint.url.rstrip("/")
        self._credentials = credentials
        self._slots = asyncio.Semaphore(_REQUESTS)
        self._connector = aiohttp.TCPConnector(
            ssl=endpoint.tls if endpoint.tls is not None else True, limit=0, keepalive_timeout=_KEEP_SECONDS
        )
        # Compression would cost the server more than it saves on a cluster's network.
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "lmos"},
            auto_decompress=True,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

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
        async with self._slots:
            response = await self._open(method, path, query, body, content_type)
            try:
                return Answer(response.status, await response.read(), _headers(response))
            except (aiohttp.ClientError, OSError) as error:
                raise _broken(self._root, error) from error
            finally:
                response.release()

    @asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str] | None = None) -> AsyncGenerator[Stream]:
        response = await self._open("GET", path, query)
        try:
            yield Stream(response.status, _lines(response, self._root), _headers(response))
        finally:
            _drop(response)

    async def aclose(self) -> None:
        # Without the goodbyes of TLS, for which a server that hangs could have us wait.
        await self._connector.close(abort_ssl=True)
        await self._session.close()
        await asyncio.sleep(0)  # sockets close in the next round of the loop, which may be its last

    async def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None = None,
        content_type: str = "",
    ) -> aiohttp.ClientResponse:
        """A response whose header has come; the caller releases it."""
        url = URL(self._root + path + (_encoded(tuple(query.items())) if query else ""), encoded=True)
        who = await self._credentials.headers()
        response = await self._send(method, url, body, content_type, who)
        if response.status != _UNAUTHORIZED:
            return response
        try:
            if not await self._credentials.renew(who):
                return response
        except BaseException:
            response.close()
            raise
        response.close()  # not kept: the old client certificate belongs to the connection
        return await self._send(method, url, body, content_type, await self._credentials.headers())

    async def _send(
        self, method: str, url: URL, body: bytes | None, content_type: str, who: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        headers = who if body is None else {**who, "Content-Type": content_type}
        endpoint = self._endpoint
        try:
            return await self._session.request(
                method,
                url,
                data=BytesIO(body) if body is not None and len(body) > _LARGE else body,
                headers=headers,
                proxy=endpoint.proxy,
                server_hostname=endpoint.tls_name,
                allow_redirects=False,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreachable(_unreachable(endpoint.url, error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise _broken(endpoint.url, error) from error


@lru_cache(maxsize=256)
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    # Writes have one of a few queries; encoding it anew would be a twentieth of their cost.
    return "?" + urlencode(query)


async def _lines(response: aiohttp.ClientResponse, server: str) -> AsyncIterator[bytes]:
    """Lines of any length: chunks are joined once, at the end of the line."""
    parts: list[bytes] = []
    try:
        async for chunk in response.content.iter_any():
            first, *more = chunk.split(b"\n")
            parts.append(first)
            for piece in more:
                yield b"".join(parts)
                parts = [piece]
    except (aiohttp.ClientError, OSError) as error:
        raise _broken(server, error) from error
    if rest := b"".join(parts):
        yield rest


def _drop(response: aiohttp.ClientResponse) -> None:
    """Let go of a response that may have no end."""
    if (connection := response.connection) is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in response.headers.items():
        lower = name.lower()
        found[lower] = f"{found[lower]}, {value}" if lower in found else value
    return found


def _broken(server: str, error: Exception) -> TransportError:
    return TransportError(f"the connection to the API server {server} broke: {_said(error)}; try again")


def _unreachable(server: str, error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        fix = "check certificate-authority and server of the kubeconfig's cluster"
    else:
        fix = "is it running, and is `server` of the kubeconfig's cluster right?"
    return f"the API server {server} cannot be reached: {_said(error)}; {fix}"


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
