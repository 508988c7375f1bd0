"""The ARC surface of an agent server, as Starlette routes: `/graphql`, `/sdl`, `/subscriptions`.

`agents` mounts it in front of local agents, `server` in front of the whole runtime. It knows HTTP and WebSockets; the
agents are behind `ArcService`. ARC's `tool` query and mutation and its `events` subscription are not served: they are
switched off in ARC's default too, and show every user's data to anyone who asks.
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from lmos.clock import Clock, SystemClock
from lmos.protocols.arc.execution import ArcExecutor, ArcService, BadOperation, Operation, OperationFailed, arc_sdl
from lmos.protocols.arc.frames import SUBPROTOCOL
from lmos.protocols.arc.subscriptions import Connection, Limits
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["ArcService", "Limits", "arc_routes"]

_log = logger("protocols.arc")


class _TooLarge(Exception):
    """The body of `POST /graphql` is larger than is read."""


def arc_routes(service: ArcService, *, limits: Limits | None = None, clock: Clock | None = None) -> list[BaseRoute]:
    """Routes that serve `service`."""
    allowed = limits or Limits()
    executor = ArcExecutor(service, clock or SystemClock())

    async def graphql(request: Request) -> Response:
        try:
            body = await _body(request, allowed.frame_bytes)
            operation = Operation.of(orjson.loads(body), request.headers.get("x-subset"))
        except _TooLarge as error:
            return _json({"errors": [{"message": str(error)}]}, 413)
        except orjson.JSONDecodeError as error:
            return _json({"errors": [{"message": f"the request is not JSON: {error}"}]}, 400)
        except BadOperation as error:
            return _json({"errors": [{"message": str(error)}]}, 400)
        try:
            return _json({"data": executor.execute(operation)})
        except OperationFailed as failure:
            return _json({"errors": failure.errors})

    async def sdl(_request: Request) -> Response:
        return PlainTextResponse(arc_sdl())

    async def subscriptions(socket: WebSocket) -> None:
        # A client that offered no sub-protocol must be answered without one, and means this one all the same.
        offered: list[str] = socket.scope["subprotocols"]
        if offered and SUBPROTOCOL not in offered:
            # Legacy graphql-ws names other frames: better refused than misunderstood.
            _log.info(names.EVENT_ARC_CONNECTION_REFUSED, code=400, reason=f"sub-protocols {offered!r:.120}")
            await socket.send_denial_response(
                PlainTextResponse(f"sub-protocol must be {SUBPROTOCOL}, or none", status_code=400)
            )
            return
        await socket.accept(subprotocol=SUBPROTOCOL if offered else None)
        await Connection(socket, executor, allowed).serve()

    return [
        Route("/graphql", graphql, methods=["POST"]),
        Route("/sdl", sdl, methods=["GET"]),
        WebSocketRoute("/subscriptions", subscriptions),
    ]


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _TooLarge(f"the request is larger than {limit} bytes")
    return bytes(body)


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")
