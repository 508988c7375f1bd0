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
from lmos.operator.base import ALL_NAMESPACES, Listing, ResourceExpired, StoreError
from lmos.operator.catalog import NotListed, NotWatched
from lmos.resources.agent import STABLE
from lmos.resources.base import Resource
from lmos.resources.channel import Channel
from lmos.resources.routing import ChannelRouting
from lmos.telemetry.logs import logger

__all__ = [
    "DEFAULT_NAMESPACE",
    "Lister",
    "answered",
    "find_channel",
    "find_channels",
    "find_routing",
    "namespace_of",
    "refusal",
    "routes",
    "shown",
]

DEFAULT_NAMESPACE: Final = "default"
_PREFIX: Final = "/apis/v1/tenants/{tenant}/channels"
_NAMESPACE_HEADER: Final = "x-namespace"
_SUBSET_HEADER: Final = "x-subset"

_log = logger("operator")

Json = dict[str, Any]
Endpoint = Callable[[Request], Awaitable[Response]]


class Lister(Protocol):
    """What this module needs of a store or a catalog."""

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing: ...


async def find_channels(store: Lister, namespace: str, tenant: str, subset: str) -> list[Json]:
    """The tenant's Channels in the subset, by name. Raises `StoreError`."""
    found = await _select(store, Channel.KIND, namespace, {"tenant": tenant, "subset": subset})
    return [shown(resource) for resource in found]


async def find_channel(store: Lister, namespace: str, tenant: str, channel: str, subset: str) -> Json | None:
    """The first Channel by name with these labels. Raises `StoreError`."""
    labels = {"tenant": tenant, "channel": channel, "subset": subset}
    found = await _select(store, Channel.KIND, namespace, labels)
    return shown(found[0]) if found else None


async def find_routing(store: Lister, namespace: str, tenant: str, channel: str, subset: str) -> Json | None:
    """The first ChannelRouting by name with these labels, without owner and annotations. Raises `StoreError`."""
    labels = {"tenant": tenant, "channel": channel, "subset": subset}
    found = await _select(store, ChannelRouting.KIND, namespace, labels)
    return shown(found[0]) if found else None


def routes(store: Lister) -> list[Route]:
    """The three GET routes. Nothing found is `[]`, or 404 with an empty body; other answers are those of `answered`."""

    async def channels(request: Request) -> Response:
        return JSONResponse(await find_channels(store, namespace_of(request), _tenant(request), _subset(request)))

    async def channel(request: Request) -> Response:
        name = request.path_params["channel"]
        return _found(await find_channel(store, namespace_of(request), _tenant(request), name, _subset(request)))

    async def routing(request: Request) -> Response:
        name = request.path_params["channel"]
        return _found(await find_routing(store, namespace_of(request), _tenant(request), name, _subset(request)))

    endpoints = ((_PREFIX, channels), (f"{_PREFIX}/{{channel}}", channel), (f"{_PREFIX}/{{channel}}/routing", routing))
    return [Route(path, answered(endpoint), methods=["GET"]) for path, endpoint in endpoints]


def answered(endpoint: Endpoint) -> Endpoint:
    """`endpoint`, whose faults are answered with a body that says why.

    404 for a namespace that is not watched, 410 for a version that is too old, 503 for what was not listed yet and for
    any other fault of the store.
    """

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NotWatched as fault:
            return refusal(404, fault)
        except ResourceExpired as fault:
            return refusal(410, fault)
        except NotListed as fault:
            return refusal(503, fault)
        except StoreError as fault:
            _log.error(reasons.EVENT_REQUEST_FAILED, path=request.url.path, error=str(fault))
            return refusal(503, fault)

    return answer


def refusal(status: int, why: object) -> Response:
    """An answer that is none, with its reason."""
    return JSONResponse({"error": str(why)}, status, {"retry-after": "1"} if status == 503 else None)


async def _select(store: Lister, kind: str, namespace: str, labels: Mapping[str, str]) -> tuple[Resource, ...]:
    # The caller names the namespace: the store's word for "all of them" is no namespace here.
    if namespace == ALL_NAMESPACES:
        return ()
    return (await store.list(kind, namespace, labels)).items


def shown(resource: Resource) -> Json:
    """A Channel or ChannelRouting as the original's REST API writes it.

    Members of the top level come in Kubernetes' order, those of the metadata by name. A ChannelRouting comes without
    owner and annotations.
    """
    if isinstance(resource, ChannelRouting):
        resource = resource.with_meta(owner_references=(), annotations={})
    data = resource.with_meta(managed_fields=()).to_wire()
    metadata = dict(sorted(data["metadata"].items()))
    top = {"apiVersion": data["apiVersion"], "kind": data["kind"], "metadata": metadata, "spec": data["spec"]}
    if "status" not in data:
        return top
    # The stored object leaves an empty list out; the original's REST API shows it.
    data["status"].setdefault("unresolvedRequiredCapabilities", [])
    return top | {"status": data["status"]}


def _found(document: Json | None) -> Response:
    return Response(status_code=404) if document is None else JSONResponse(document)


def _tenant(request: Request) -> str:
    return request.path_params["tenant"]


def namespace_of(request: Request) -> str:
    """The namespace that the caller named, else `default`."""
    return request.headers.get(_NAMESPACE_HEADER, DEFAULT_NAMESPACE)


def _subset(request: Request) -> str:
    return request.headers.get(_SUBSET_HEADER, STABLE)
