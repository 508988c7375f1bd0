"""Runs ASGI applications on uvicorn until the process is told to stop. Commands and the test kit use it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from lmos.server.http_protocol import HttpProtocol
from lmos.server.quiet import quiet_uvicorn

__all__ = ["PortInUse", "listen", "serving"]

SHUTDOWN_SECONDS = 5
FAREWELL_SECONDS = 2


class PortInUse(Exception):
    """The address cannot be listened on."""


def listen(host: str, port: int, *, option: str = "--port", patience: float | None = None) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `PortInUse`, which names the `option` to change.

    A peer that takes nothing of what it is sent for `patience` seconds is disconnected; else it may stay for ever.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; without it two small frames in a row take 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if patience is not None and sys.platform == "linux":  # connections inherit it
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(patience * 1000))
    try:
        sock.bind((host, port))
        sock.listen(1024)
    except OSError as error:
        sock.close()
        raise PortInUse(f"cannot listen on {host}:{port} ({error.strerror}); choose another with {option}") from error
    return sock


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # a process may serve several sockets: who composes them takes its signals


@asynccontextmanager
async def serving(
    app: ASGIApp,
    sock: socket.socket,
    *,
    shutdown_seconds: int = SHUTDOWN_SECONDS,
    give_up: Callable[[], Awaitable[None]] | None = None,
    tls: ssl.SSLContext | None = None,
    websockets: bool = True,
) -> AsyncGenerator[None]:
    """Serve `app` on `sock` for the body of the context; at its end open requests get `shutdown_seconds` to finish.

    Then `give_up` ends the work behind them, so that they can still be answered; those that remain are cancelled.
    With `tls` it speaks https; without `websockets` their library is not loaded. Signals are the caller's. Offers to
    upgrade to HTTP/2 (h2c), as JVM clients send them, are ignored.
    """
    quiet_uvicorn()
    config = uvicorn.Config(
        app,
        http=HttpProtocol,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="auto" if websockets else "none",
        ws_ping_interval=20.0,
        server_header=False,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        timeout_graceful_shutdown=shutdown_seconds if give_up is None else shutdown_seconds + FAREWELL_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([sock]), name="http server")
    try:
        await server.up.wait()
        yield
    finally:
        server.should_exit = True
        if give_up is not None:
            await asyncio.wait({task}, timeout=shutdown_seconds)
            await give_up()
        await task
