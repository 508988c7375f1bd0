"""ASGI middleware: refuses request bodies over a size before they are read into memory."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lmos.conversation.errors import InvalidRequest
from lmos.server.errors import error_response

__all__ = ["BodyLimit"]

_CLOSE = {"connection": "close"}


class BodyLimit:
    """Answers 413 when a body has more than `max_bytes`: at once when its length is declared, else while it is read."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._message = f"the request body is larger than {max_bytes} bytes"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            response = error_response(InvalidRequest.code, self._message, 413, _CLOSE)
            await response(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._max_bytes:
                raise HTTPException(413, self._message, _CLOSE)
            return message

        await self._app(scope, counted, send)
