"""`/livez`, `/readyz` and `/metrics`: plain routes that every LMOS server has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

__all__ = ["health_routes"]


def health_routes(not_ready: Callable[[], Sequence[str]]) -> list[Route]:
    """Probes. `not_ready` names what is still missing; the server is ready when it is empty."""

    async def livez(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_request: Request) -> Response:
        missing = list(not_ready())
        return JSONResponse({"ready": not missing, "waitingFor": missing}, 503 if missing else 200)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
