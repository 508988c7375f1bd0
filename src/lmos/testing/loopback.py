"""`serving`: an ASGI application on a real loopback socket, in the test's own event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from lmos.server import serve

__all__ = ["serving"]


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncGenerator[str]:
    """Serve `app` on a free port of 127.0.0.1; gives its base URL. Requests that run at the end are cancelled."""
    with serve.listen("127.0.0.1", 0) as listener:
        port: int = listener.getsockname()[1]
        async with serve.serving(app, listener, shutdown_seconds=0):
            yield f"http://127.0.0.1:{port}"
