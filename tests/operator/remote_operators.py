"""Operators on real sockets, for those who read one from afar: ours, and what one of Eclipse LMOS answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lmos.operator.api import routes, shown
from lmos.operator.base import Listing, WatchEvent
from lmos.operator.cache import Cache
from lmos.operator.catalog import BY_LABELS, Catalog
from lmos.operator.watch_api import watch_routes
from lmos.resources.base import Resource
from lmos.resources.channel import Channel
from lmos.resources.routing import ChannelRouting
from lmos.server import serve

__all__ = ["OriginalOperator", "OurOperator", "channel_routing", "listening", "serving_on"]


def channel_routing(name: str = "web", *agents: str, channel: str = "web", version: int = 1) -> ChannelRouting:
    """A ChannelRouting of tenant acme in the stable subset."""
    capability = {
        "name": "bill",
        "requiredVersion": "*",
        "providedVersion": "1.0.0",
        "host": "billing.default.svc.cluster.local",
    }
    return ChannelRouting.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": "default",
                "resourceVersion": str(version),
                "labels": {"tenant": "acme", "channel": channel, "version": "1.0.0", "subset": "stable"},
            },
            "spec": {
                "capabilityGroups": [
                    {"name": agent, "description": agent, "capabilities": [capability]} for agent in agents
                ]
            },
        }
    )


class OurOperator:
    """Its REST API over caches that the test fills, at the versions that the test says."""

    def __init__(self) -> None:
        self.version = 10
        self.caches: dict[str, Cache[Any]] = {
            "Channel": Cache(Channel, BY_LABELS),
            "ChannelRouting": Cache(ChannelRouting, BY_LABELS),
        }
        self.catalog = Catalog(*self.caches.values())
        for kind in self.caches:
            self.catalog.feed(kind, "default").listed(Listing((), "10"), vanished=False)
        self.app = Starlette(routes=[*routes(self.catalog), *watch_routes(self.catalog)])

    def put(self, resource: Resource) -> None:
        self.version += 1
        stored = resource.with_meta(resource_version=str(self.version))
        self.caches[resource.KIND].put(stored)
        self._tell(WatchEvent("modified", str(self.version), stored))

    def remove(self, resource: Resource) -> None:
        self.version += 1
        self.caches[resource.KIND].remove((resource.metadata.namespace, resource.metadata.name), self.version)
        self._tell(WatchEvent("deleted", str(self.version), resource))

    def forget(self) -> None:
        """Lose the change log, as a replica that has just started has none."""
        for kind in self.caches:
            self.catalog.feed(kind, "default").listed(Listing((), str(self.version)), vanished=True)

    def _tell(self, event: WatchEvent) -> None:
        assert event.resource is not None
        self.catalog.feed(event.resource.KIND, "default").told(event, news=True)


class OriginalOperator:
    """What the operator of Eclipse LMOS answers: three paths, and Spring's words for all others. `asked` are paths."""

    def __init__(self, *resources: Resource) -> None:
        self.resources = list(resources)
        self.asked: list[str] = []
        base = "/apis/v1/tenants/{tenant}/channels"
        self.app = Starlette(
            routes=[
                Route(base, self._channels),
                Route(base + "/{channel}", self._channel),
                Route(base + "/{channel}/routing", self._routing),
                Route("/{path:path}", self._unknown),
            ]
        )

    async def _channels(self, request: Request) -> Response:
        return JSONResponse([shown(found) for found in self._find(request, Channel)])

    async def _channel(self, request: Request) -> Response:
        return self._first(request, Channel)

    async def _routing(self, request: Request) -> Response:
        return self._first(request, ChannelRouting)

    async def _unknown(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        body = {"timestamp": "2026-11-25T09:00:00.000+00:00", "path": request.url.path, "status": 404}
        return JSONResponse(body | {"error": "Not Found", "requestId": "1"}, 404)

    def _first(self, request: Request, model: type[Resource]) -> Response:
        found = self._find(request, model)
        return JSONResponse(shown(found[0])) if found else Response(status_code=404)

    def _find(self, request: Request, model: type[Resource]) -> list[Resource]:
        self.asked.append(request.url.path)
        wanted = {**request.path_params, "subset": request.headers.get("x-subset", "stable")}
        namespace = request.headers.get("x-namespace", "default")
        return [
            resource
            for resource in self.resources
            if isinstance(resource, model)
            and resource.metadata.namespace == namespace
            and wanted.items() <= resource.metadata.labels.items()
        ]


def listening() -> socket.socket:
    """A socket on a free port of 127.0.0.1."""
    return serve.listen("127.0.0.1", 0)


@asynccontextmanager
async def serving_on(sock: socket.socket, operator: OurOperator | OriginalOperator) -> AsyncGenerator[str]:
    """Serve the operator on a duplicate of `sock`, so that another can take its place; gives its URL."""
    port: int = sock.getsockname()[1]
    listener = sock.dup()
    async with serve.serving(operator.app, listener, shutdown_seconds=0):
        yield f"http://127.0.0.1:{port}"
        if isinstance(operator, OurOperator):
            operator.catalog.close()
            await asyncio.sleep(0)
