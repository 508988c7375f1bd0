"""The platform's ASGI application: REST, probes and the local agents' ARC surface on one port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from lmos import __version__
from lmos.conversation.events import event_adapter
from lmos.operator.api import Lister
from lmos.runtime.runtime import Runtime
from lmos.server.chat import chat_router
from lmos.server.errors import install_error_handlers
from lmos.server.health import health_routes
from lmos.server.info import agents_router, channels_router
from lmos.server.limits import BodyLimit
from lmos.server.methods import HeadAsGet

__all__ = ["create_app", "create_rest"]

_DESCRIPTION = """Takes turns of conversations, routes each to the agent that can answer it, and tells which agents and
channels there are. Paths, bodies and error codes are those of the Eclipse LMOS runtime; streaming and resuming are
additions."""


class _Rest(FastAPI):
    """FastAPI, whose OpenAPI document tells what is really answered to a bad request: 400, in our error format."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            for calls in document["paths"].values():
                for call in calls.values():
                    call["responses"].pop("422", None)
            for unused in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(unused, None)
        return super().openapi()


def create_rest(runtime: Runtime, store: Lister, *, namespace: str, resume_grace: float) -> FastAPI:
    """The REST API with its OpenAPI document (`/openapi.json`, `/docs`)."""
    rest = _Rest(title="LMOS runtime", version=__version__, description=_DESCRIPTION, redoc_url=None)
    install_error_handlers(rest)
    rest.include_router(chat_router(runtime, resume_grace=resume_grace))
    rest.include_router(agents_router(runtime.routes))
    rest.include_router(channels_router(store, namespace))
    describe = rest.openapi
    rest.openapi = lambda: _with_events(describe())  # FastAPI's way to extend the document
    return rest


def _with_events(document: dict[str, Any]) -> dict[str, Any]:
    """Adds the events of a turn to the schemas: FastAPI knows only those of whole bodies."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    events = event_adapter.json_schema(ref_template="#/components/schemas/{model}")
    for name, schema in events.pop("$defs").items():
        schemas.setdefault(name, schema)
    schemas["TurnEvent"] = events
    return document


def create_app(
    rest: FastAPI, *, not_ready: Callable[[], Sequence[str]], arc: Sequence[BaseRoute], max_body_bytes: int
) -> ASGIApp:
    """`rest` with probes and ARC routes beside it, behind the limit of the body's size."""
    rest.router.routes.extend([*health_routes(not_ready), *arc])
    return BodyLimit(HeadAsGet(rest), max_body_bytes)
