"""Connections to an endpoint: TCP, TLS, and through a proxy where one is configured. `HttpTransport` dials.

A proxy (`http://` or `https://`, perhaps with user and password) makes a tunnel to a server that speaks TLS; requests
to one that does not are addressed to the proxy itself.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from lmos.operator.kubernetes.connection import Connection, Whole

__all__ = ["CONNECT_SECONDS", "Endpoint", "dial"]

CONNECT_SECONDS: Final = 10.0
"""Until a connection is there, TLS and tunnel included."""

_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the API server is. `url` may end in a path, as behind Rancher; `tls_name` is what its certificate names."""

    url: str
    tls: ssl.SSLContext | None = None
    tls_name: str | None = None
    proxy: str | None = None

    @property
    def host(self) -> str:
        """The header `Host`."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def prefix(self) -> str:
        """What stands before a path in a request: the path of `url`; all of it in a request to a proxy."""
        url = urlsplit(self.url)
        path = url.path.rstrip("/")
        return f"http://{self.host}{path}" if self.proxy is not None and url.scheme == "http" else path

    @property
    def proxy_headers(self) -> Mapping[str, str]:
        """Headers for a proxy to which requests are addressed."""
        return _who(urlsplit(self.proxy)) if self.proxy is not None and self.url.startswith("http://") else {}


async def dial(endpoint: Endpoint) -> Connection:
    """A new connection. Raises `OSError`, of which `ssl.SSLError` and `TimeoutError` are kinds."""
    server = urlsplit(endpoint.url)
    tls = (endpoint.tls or ssl.create_default_context()) if server.scheme == "https" else None
    name = (endpoint.tls_name or server.hostname) if tls is not None else None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if endpoint.proxy is None:
                return await _open(server, tls, name)
            proxy = urlsplit(endpoint.proxy)
            to_proxy = ssl.create_default_context() if proxy.scheme == "https" else None
            connection = await _open(proxy, to_proxy, proxy.hostname if to_proxy is not None else None)
            if tls is not None:
                await _tunnel(connection, server, proxy, tls, name)
            return connection
    except TimeoutError as error:
        raise TimeoutError(f"no connection within {CONNECT_SECONDS:g} s") from error


async def _open(to: SplitResult, tls: ssl.SSLContext | None, name: str | None) -> Connection:
    loop = asyncio.get_running_loop()
    host = to.hostname or ""
    _, connection = await loop.create_connection(Connection, host, _port(to), ssl=tls, server_hostname=name)
    return connection


async def _tunnel(
    connection: Connection, server: SplitResult, proxy: SplitResult, tls: ssl.SSLContext, name: str | None
) -> None:
    """Have the proxy connect to the server, and speak TLS with that."""
    host = server.hostname or ""
    target = f"[{host}]:{_port(server)}" if ":" in host else f"{host}:{_port(server)}"
    head = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *(f"{k}: {v}" for k, v in _who(proxy).items())]
    begun = Whole(head_only=True)
    try:
        connection.send("\r\n".join([*head, "", ""]).encode(), begun)
        answer = await begun.answer
        if not 200 <= answer.status < 300:
            raise ConnectionError(f"the proxy {proxy.hostname}:{_port(proxy)} answers {answer.status}")
        assert connection.transport is not None
        loop = asyncio.get_running_loop()
        transport = await loop.start_tls(connection.transport, connection, tls, server_hostname=name)
    except BaseException:
        connection.abort()
        raise
    if transport is None:
        raise ConnectionError("it was closed while TLS began")
    connection.adopt(transport)


def _port(url: SplitResult) -> int:
    return url.port if url.port is not None else _PORTS[url.scheme]


def _who(proxy: SplitResult) -> Mapping[str, str]:
    if proxy.username is None:
        return {}
    told = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(told.encode()).decode()}"}
