"""`/livez`, `/readyz` and `/metrics`: plain routes that every LMOS server has, and the paths that JVM charts probe."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

__all__ = ["actuator_routes", "health_routes"]

Reasons = Callable[[], Sequence[str]]
"""Why a probe fails; it succeeds while there is no reason."""


def health_routes(not_ready: Reasons, *, stuck: Reasons = tuple) -> list[Route]:
    """Probes. `not_ready` names what is still missing, `stuck` what only a new process puts right."""

    async def livez(_request: Request) -> Response:
        faults = list(stuck())
        return PlainTextResponse("\n".join(faults) or "ok", 503 if faults else 200)

    async def readyz(_request: Request) -> Response:
        missing = list(not_ready())
        return JSONResponse({"ready": not missing, "waitingFor": missing}, 503 if missing else 200)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", _metrics)]


def actuator_routes(not_ready: Reasons, *, stuck: Reasons = tuple) -> list[Route]:
    """The same under the paths and in the form of Spring Boot's actuator, which charts of the JVM parts probe."""

    def state(faults: Sequence[str], word: str) -> Response:
        body = {"status": word, "details": {"waitingFor": list(faults)}} if faults else {"status": "UP"}
        return JSONResponse(body, 503 if faults else 200)

    async def health(_request: Request) -> Response:
        return state([*stuck(), *not_ready()], "DOWN")

    async def liveness(_request: Request) -> Response:
        return state(stuck(), "DOWN")

    async def readiness(_request: Request) -> Response:
        return state(not_ready(), "OUT_OF_SERVICE")

    return [
        Route("/health", health),
        Route("/health/liveness", liveness),
        Route("/health/readiness", readiness),
        Route("/prometheus", _metrics),
    ]


async def _metrics(_request: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
