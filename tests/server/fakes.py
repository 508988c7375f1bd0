"""The REST API over a scripted runtime, called in process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from lmos.server.app import create_app, create_rest
from tests.runtime.fakes import Script, ScriptedClient, a_runtime_on_a_store

MESSAGE = "/apis/v1/acme/chat/c1/message"


@asynccontextmanager
async def an_api(
    folder: Path, scripts: dict[str, Script], *, max_body_bytes: int = 1_048_576, deadline: float = 5.0
) -> AsyncGenerator[tuple[httpx2.AsyncClient, ScriptedClient]]:
    """A client of the application, and the agents behind it."""
    async with a_runtime_on_a_store(folder, scripts, deadline=deadline) as (store, runtime, agents):
        rest = create_rest(runtime, store, namespace="default", resume_grace=5.0)
        app = create_app(rest, not_ready=list, arc=[], max_body_bytes=max_body_bytes)
        # As behind a server, which logs a crash and lives on.
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://lmos") as client:
            yield client, agents


def body(text: str = "billing", **input_context: Any) -> dict[str, Any]:
    """A well-formed conversation of one message."""
    return {
        "inputContext": {"messages": [{"role": "user", "content": text, "format": "text"}], **input_context},
        "systemContext": {"channelId": "web", "contextParams": []},
        "userContext": {"userId": "u1", "contextParams": []},
    }
