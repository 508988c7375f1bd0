"""The operator's REST API, as Eclipse LMOS's runtime calls it: Channels and ChannelRoutings of a tenant, read-only.

`routes` serves it on the operator's own port; `find_*` give the same JSON data to whoever answers in another form (the
runtime's proxy, whose 404 has a body). Objects are selected by their labels: a Channel without the label `subset`
resolves as `stable`, but only its label makes it visible here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lmos.operator import reasons
from lmos.operator.base import ALL_NAMESPACES, Listing, StoreError
from lmos.resources.agent import STABLE
from lmos.resources.base import Resource
from lmos.resources.channel import Channel
from lmos.resources.routing import ChannelRouting
from lmos.telemetry.logs import logger

__all__ = ["DEFAULT_NAMESPACE", "Lister", "find_channel", "find_channels", "find_routing", "routes"]

DEFAULT_NAMESPACE: Final = "default"
_PREFIX: Final = "/apis/v1/tenants/{tenant}/channels"
_NAMESPACE_HEADER: Final = "x-namespace"
_SUBSET_HEADER: Final = "x-subset"

_log = logger("operator")

Json = dict[str, Any]


class Lister(Protocol):
    """What this module needs of a store."""

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing: ...


async def find_channels(store: Lister, namespace: str, tenant: str, subset: str) -> list[Json]:
    """The tenant's Channels in the subset, by name. Raises `StoreError`."""
    found = await _select(store, Channel.KIND, namespace, {"tenant": tenant, "subset": subset})
    return [_channel_json(resource) for resource in found]


async def find_channel(store: Lister, namespace: str, tenant: str, channel: str, subset: str) -> Json | None:
    """The first Channel by name with these labels. Raises `StoreError`."""
    labels = {"tenant": tenant, "channel": channel, "subset": subset}
    found = await _select(store, Channel.KIND, namespace, labels)
    return _channel_json(found[0]) if found else None


async def find_routing(store: Lister, namespace: str, tenant: str, channel: str, subset: str) -> Json | None:
    """The first ChannelRouting by name with these labels, without owner and annotations. Raises `StoreError`."""
    labels = {"tenant": tenant, "channel": channel, "subset": subset}
    found = await _select(store, ChannelRouting.KIND, namespace, labels)
    return _json(found[0].with_meta(owner_references=(), annotations={})) if found else None


def routes(store: Lister) -> list[Route]:
    """The three GET routes. Nothing found is `[]`, or 404 with an empty body; a fault of the store is 503."""

    async def channels(request: Request) -> Response:
        return JSONResponse(await find_channels(store, _namespace(request), _tenant(request), _subset(request)))

    async def channel(request: Request) -> Response:
        name = request.path_params["channel"]
        return _found(await find_channel(store, _namespace(request), _tenant(request), name, _subset(request)))

    async def routing(request: Request) -> Response:
        name = request.path_params["channel"]
        return _found(await find_routing(store, _namespace(request), _tenant(request), name, _subset(request)))

    endpoints = ((_PREFIX, channels), (f"{_PREFIX}/{{channel}}", channel), (f"{_PREFIX}/{{channel}}/routing", routing))
    return [Route(path, _answer_faults(endpoint), methods=["GET"]) for path, endpoint in endpoints]


def _answer_faults(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except StoreError as fault:
            _log.error(reasons.EVENT_REQUEST_FAILED, path=request.url.path, error=str(fault))
            return JSONResponse({"error": str(fault)}, 503)

    return answer


async def _select(store: Lister, kind: str, namespace: str, labels: Mapping[str, str]) -> tuple[Resource, ...]:
    # The caller names the namespace: the store's word for "all of them" is no namespace here.
    if namespace == ALL_NAMESPACES:
        return ()
    return (await store.list(kind, namespace, labels)).items


def _channel_json(resource: Resource) -> Json:
    data = _json(resource)
    if "status" in data:
        # The stored object leaves an empty list out; the original's REST API shows it.
        data["status"].setdefault("unresolvedRequiredCapabilities", [])
    return data


def _json(resource: Resource) -> Json:
    """The object as the original writes it: members of the top level in Kubernetes' order, metadata by name."""
    data = resource.with_meta(managed_fields=()).to_wire()
    metadata = dict(sorted(data["metadata"].items()))
    top = {"apiVersion": data["apiVersion"], "kind": data["kind"], "metadata": metadata, "spec": data["spec"]}
    return top | ({"status": data["status"]} if "status" in data else {})


def _found(document: Json | None) -> Response:
    return Response(status_code=404) if document is None else JSONResponse(document)


def _tenant(request: Request) -> str:
    return request.path_params["tenant"]


def _namespace(request: Request) -> str:
    return request.headers.get(_NAMESPACE_HEADER, DEFAULT_NAMESPACE)


def _subset(request: Request) -> str:
    return request.headers.get(_SUBSET_HEADER, STABLE)
