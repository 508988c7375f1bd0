"""The ARC surface of an agent server, as Starlette routes: `/graphql`, `/sdl`, `/subscriptions`, and its capabilities.

`agents` mounts it in front of local agents, `server` in front of the whole runtime. It knows HTTP and WebSockets; the
agents are behind `ArcService`. ARC's `tool` query and mutation and its `events` subscription are not served: they are
switched off in ARC's default too, and show every user's data to anyone who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from lmos.clock import Clock, SystemClock
from lmos.protocols.arc.capabilities import CAPABILITIES_PATH, CapabilitiesDocument
from lmos.protocols.arc.execution import ArcExecutor, ArcService, Operation, OperationFailed, arc_sdl
from lmos.protocols.arc.frames import SUBPROTOCOL
from lmos.protocols.arc.subscriptions import Connection, Limits
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["ArcService", "Limits", "arc_routes"]

_log = logger("protocols.arc")


class _BadBody(ValueError):
    """The body of `POST /graphql` is no GraphQL request; `status` is the HTTP status to answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def arc_routes(
    service: ArcService,
    *,
    limits: Limits | None = None,
    capabilities: Callable[[], CapabilitiesDocument] | None = None,
    clock: Clock | None = None,
) -> list[BaseRoute]:
    """Routes that serve `service`; with `capabilities`, its document too (asked at each request, so it may change)."""
    allowed = limits or Limits()
    executor = ArcExecutor(service, clock or SystemClock())

    async def graphql(request: Request) -> Response:
        try:
            operation = _operation(await _body(request, allowed.frame_bytes), request.headers.get("x-subset"))
        except _BadBody as error:
            return _json({"errors": [{"message": str(error)}]}, error.status)
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

    routes: list[BaseRoute] = [
        Route("/graphql", graphql, methods=["POST"]),
        Route("/sdl", sdl, methods=["GET"]),
        WebSocketRoute("/subscriptions", subscriptions),
    ]
    if capabilities is not None:
        document = capabilities

        async def well_known(_request: Request) -> Response:
            return Response(document().to_json(), media_type="application/json")

        routes.append(Route(CAPABILITIES_PATH, well_known, methods=["GET"]))
    return routes


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _BadBody(f"body is larger than {limit} bytes", 413)
    return bytes(body)


def _operation(body: bytes, subset: str | None) -> Operation:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _BadBody(f"body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise _BadBody('body is not an object; send {"query": "..."}')
    members = cast("dict[str, Any]", value)
    query, variables, name = members.get("query"), members.get("variables"), members.get("operationName")
    if not isinstance(query, str):
        raise _BadBody(f"query is {query!r:.40}, not a text")
    if not isinstance(variables, dict | None):
        raise _BadBody("variables is not an object")
    if not isinstance(name, str | None):
        raise _BadBody("operationName is not a text")
    return Operation(query, cast("dict[str, Any] | None", variables), name, subset)


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")
