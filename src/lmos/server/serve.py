"""Runs ASGI applications on uvicorn until the process is told to stop. Commands and the test kit use it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

__all__ = ["PortInUse", "listen", "serving"]

_SHUTDOWN_SECONDS = 5


class PortInUse(Exception):
    """The address cannot be listened on."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `PortInUse`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(1024)
    except OSError as error:
        sock.close()
        raise PortInUse(f"cannot listen on {host}:{port} ({error.strerror}); choose another with --port") from error
    return sock


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # a process may serve several sockets: who composes them takes its signals


@asynccontextmanager
async def serving(app: ASGIApp, sock: socket.socket, *, max_frame_bytes: int) -> AsyncGenerator[None]:
    """Serve `app` on `sock` for the body of the context; open requests get a few seconds to finish at its end.

    Signals are the caller's.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=max_frame_bytes,
        ws_ping_interval=20.0,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([sock]), name="http server")
    try:
        await server.up.wait()
        yield
    finally:
        server.should_exit = True
        await task
