"""Which agents and channels there are: the LMOS runtime's read-only queries over the routing table and the store."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import JSONResponse, Response

from lmos.conversation.errors import RoutingNotFound
from lmos.operator.api import Lister, find_channel, find_channels, find_routing
from lmos.resources.agent import STABLE
from lmos.resources.routing import CapabilityGroup
from lmos.runtime.routes import Route, Routes
from lmos.server.wire import (
    Address,
    AgentInfo,
    AgentsInfo,
    CapabilityInfo,
    ErrorBody,
    Identifier,
    NotFoundBody,
    RoutedAgentInfo,
    RoutedCapabilityInfo,
)

__all__ = ["agents_router", "channels_router"]

Subset = Annotated[Identifier | None, Header(alias="x-subset", description="Subset; `stable` if unset.")]
Namespace = Annotated[Identifier | None, Header(alias="x-namespace", description="Namespace; `default` if unset.")]
TenantId = Annotated[Identifier, Path(alias="tenantId")]
ChannelId = Annotated[Identifier, Path(alias="channelId")]

_NO_ROUTING: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "`INVALID_REQUEST`"},
    404: {"model": ErrorBody, "description": "`AGENT_NOT_FOUND`: no such channel."},
}
_NO_CHANNEL: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "`INVALID_REQUEST`"},
    404: {"model": NotFoundBody, "description": "No such channel."},
}


def agents_router(routes: Routes) -> APIRouter:
    """The agents of a channel, in the two shapes of the LMOS runtime."""
    router = APIRouter(prefix="/apis/v1", tags=["agents"])

    async def route(tenant: str, channel: str, subset: str | None) -> Route:
        found = await routes.find(tenant, channel, subset or STABLE)
        if found is None:
            raise RoutingNotFound(f"no routing for channel {channel!r} of tenant {tenant!r} in {subset or STABLE!r}")
        return found

    @router.get("/agents", response_model=AgentsInfo, responses=_NO_ROUTING, summary="Agents of a channel")
    async def list_agents(
        tenant: Annotated[Identifier, Query(alias="tenantId")],
        channel: Annotated[Identifier, Query(alias="channelId")],
        subset: Annotated[Identifier | None, Query()] = None,
    ) -> AgentsInfo:
        """Agents that serve the channel in `subset` (`stable` if unset)."""
        found = await route(tenant, channel, subset)
        groups = found.routing.spec.capability_groups
        return AgentsInfo(subset=found.subset, agents=tuple(_agent_info(group, found) for group in groups))

    @router.get(
        "/agents/{tenantId}/{channelId}",
        response_model=list[RoutedAgentInfo],
        responses=_NO_ROUTING,
        summary="Agents of a channel with their addresses",
    )
    async def list_routed_agents(tenant: TenantId, channel: ChannelId, subset: Subset = None) -> list[RoutedAgentInfo]:
        """Agents that serve the channel, where they answer and which capabilities are routed to them."""
        found = await route(tenant, channel, subset)
        return [_routed_agent_info(group, found) for group in found.routing.spec.capability_groups]

    return router


def channels_router(store: Lister, default_namespace: str) -> APIRouter:
    """A tenant's Channels and their ChannelRoutings as resources."""
    router = APIRouter(prefix="/apis/v1/tenants/{tenantId}", tags=["channels"])

    @router.get("/channels", response_model=list[dict[str, Any]], responses={400: _NO_CHANNEL[400]})
    async def list_channels(tenant: TenantId, subset: Subset = None, namespace: Namespace = None) -> Response:
        """All Channels of the tenant in the subset."""
        return JSONResponse(await find_channels(store, namespace or default_namespace, tenant, subset or STABLE))

    @router.get("/channels/{channelId}", response_model=dict[str, Any], responses=_NO_CHANNEL)
    async def get_channel(
        tenant: TenantId, channel: ChannelId, subset: Subset = None, namespace: Namespace = None
    ) -> Response:
        """One Channel."""
        found = await find_channel(store, namespace or default_namespace, tenant, channel, subset or STABLE)
        return _found(found, f"channel {channel!r} of tenant {tenant!r} in subset {subset or STABLE!r}")

    @router.get("/channels/{channelId}/routing", response_model=dict[str, Any], responses=_NO_CHANNEL)
    async def get_routing(
        tenant: TenantId, channel: ChannelId, subset: Subset = None, namespace: Namespace = None
    ) -> Response:
        """The ChannelRouting of one Channel."""
        found = await find_routing(store, namespace or default_namespace, tenant, channel, subset or STABLE)
        return _found(found, f"routing of channel {channel!r} of tenant {tenant!r} in subset {subset or STABLE!r}")

    return router


def _found(document: dict[str, Any] | None, what: str) -> Response:
    if document is None:
        return JSONResponse(NotFoundBody(error=f"no {what}").model_dump(by_alias=True), 404)
    return JSONResponse(document)


def _agent_info(group: CapabilityGroup, route: Route) -> AgentInfo:
    return AgentInfo(
        id=group.id,
        name=group.name,
        version=route.routing.metadata.labels.get("version", ""),
        description=group.description,
        capabilities=tuple(
            CapabilityInfo(id=c.id, name=c.name, version=c.provided_version, description=c.description)
            for c in group.capabilities
        ),
    )


def _routed_agent_info(group: CapabilityGroup, route: Route) -> RoutedAgentInfo:
    plain = _agent_info(group, route)
    return RoutedAgentInfo(
        id=plain.id,
        name=plain.name,
        version=plain.version,
        description=plain.description,
        capabilities=tuple(RoutedCapabilityInfo(**c.model_dump(), subset=route.subset) for c in plain.capabilities),
        addresses=tuple(
            Address(protocol="http", uri=host) for host in dict.fromkeys(c.host for c in group.capabilities)
        ),
    )
