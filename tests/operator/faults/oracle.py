"""What must be true when all is quiet: stored is what resolving afresh gives, and operators know what is stored.

It reads objects as JSON and computes by the pure functions of the resolver; it knows no operator's state but caches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from lmos.operator import reasons
from lmos.operator.agent_status import Knowledge, agent_status
from lmos.operator.derive import COPIED_LABELS, routing_for, status_for
from lmos.operator.ownership import controller_of
from lmos.operator.resolver import resolve
from lmos.operator.views import Views
from lmos.resources.agent import Agent
from lmos.resources.base import Resource
from lmos.resources.channel import Channel
from lmos.resources.kinds import kind_named
from lmos.resources.routing import ChannelRouting

__all__ = ["ghosts", "readable", "wrong_states"]

Json = dict[str, Any]
R = TypeVar("R", bound=Resource)

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LABEL: Final = "lmos-agent"

Objects = Callable[[str], Sequence[Json]]
"""The objects of a plural, as the API server has them."""


def wrong_states(objects: Objects) -> list[str]:
    """What is stored and should be otherwise, in words."""
    agents = _read(Agent, objects("agents"))
    channels = _read(Channel, objects("channels"))
    routings = {routing.metadata.name: routing for routing in _read(ChannelRouting, objects("channelroutings"))}
    found = [wrong for channel in channels for wrong in _wrong_channel(channel, agents, routings)]
    uids = {item["metadata"]["uid"] for plural in ("channels", "deployments") for item in objects(plural)}
    for owned in (*routings.values(), *agents):
        if any(owner.uid not in uids for owner in owned.metadata.owner_references):
            found.append(f"{owned.key} outlived its owner")
    deployments = {item["metadata"]["name"]: item for item in objects("deployments")}
    return [*found, *_wrong_agents(agents, deployments)]


def _wrong_channel(channel: Channel, agents: Iterable[Agent], routings: dict[str, ChannelRouting]) -> Iterable[str]:
    if channel.metadata.deletion_timestamp is not None:
        return
    resolution = resolve(channel, agents)
    wanted, found = routing_for(channel, resolution, platform_host=None), routings.get(channel.metadata.name)
    if found is None:
        yield f"{channel.key} has no ChannelRouting"
    else:
        labels, owners = found.metadata.labels, found.metadata.owner_references
        if found.spec != wanted.spec:
            yield f"{found.key}: spec is {found.spec!r}, should be {wanted.spec!r}"
        if any(labels.get(label) != wanted.metadata.labels.get(label) for label in COPIED_LABELS):
            yield f"{found.key}: labels are {labels}, should be {wanted.metadata.labels}"
        if found.metadata.annotations.get(reasons.AGENTS) != wanted.metadata.annotations.get(reasons.AGENTS):
            yield f"{found.key}: annotations are {found.metadata.annotations}"
        if any(owner not in owners for owner in wanted.metadata.owner_references):
            yield f"{found.key}: its owners are {owners}, should be {wanted.metadata.owner_references}"
    status = status_for(channel, resolution, _EPOCH)
    if _timeless(channel.status) != _timeless(status):
        yield f"{channel.key}: status is {channel.status!r}, should be {status!r}"


def _wrong_agents(agents: Iterable[Agent], deployments: dict[str, Json]) -> Iterable[str]:
    """Of those that people wrote, the status; of those of workloads, that they are there."""
    named = {agent.metadata.name: agent for agent in agents}
    for name, agent in named.items():
        if controller_of(agent) is None and name not in deployments:
            status = agent_status(agent, Knowledge(), _EPOCH)
            if _timeless(agent.status) != _timeless(status):
                yield f"{agent.key}: status is {agent.status!r}, should be {status!r}"
        elif controller_of(agent) is not None and not _is_agent(deployments.get(name)):
            yield f"{agent.key} is of a Deployment that is none of an agent"
    for name, deployment in deployments.items():
        if _is_agent(deployment) and name not in named:
            yield f"Deployment {name} has no Agent"


def _is_agent(deployment: Json | None) -> bool:
    return deployment is not None and deployment["metadata"].get("labels", {}).get(_LABEL) == "true"


def ghosts(objects: Objects, views: Views) -> list[str]:
    """Where an operator's caches differ from what is stored."""
    deployments = [item for item in objects("deployments") if _is_agent(item)]
    found: list[str] = []
    for plural, cache, stored in (
        ("agents", views.agents, _versions(_read(Agent, objects("agents")))),
        ("channels", views.channels, _versions(_read(Channel, objects("channels")))),
        ("channelroutings", views.routings, _versions(_read(ChannelRouting, objects("channelroutings")))),
        (
            "deployments",
            views.deployments,
            {i["metadata"]["name"]: i["metadata"]["resourceVersion"] for i in deployments},
        ),
    ):
        if plural == "deployments" and not len(views.services) and not len(cache):
            continue  # not every operator looks at them
        known = {name: _version_of(cache.get((namespace, name))) for namespace, name in cache.names()}
        if known != stored:
            found.append(f"{plural} known are {known}, stored are {stored}")
    return found


def readable(kind: str, items: Iterable[Json]) -> int:
    """How many of these objects can be read."""
    return len(_read(kind_named(kind).model, items))


def _versions(resources: Iterable[Resource]) -> dict[str, str | None]:
    return {resource.metadata.name: resource.metadata.resource_version for resource in resources}


def _version_of(resource: Resource | None) -> str | None:
    return None if resource is None else resource.metadata.resource_version


def _read(model: type[R], items: Iterable[Json]) -> list[R]:
    """Those that can be read."""
    found: list[R] = []
    for item in items:
        try:
            found.append(model.model_validate(item, extra="ignore"))
        except ValidationError:
            continue
    return found


def _timeless(status: Any) -> Any:
    """A status without the times of its conditions."""
    if status is None:
        return None
    conditions = tuple(condition.model_copy(update={"last_transition_time": ""}) for condition in status.conditions)
    return status.model_copy(update={"conditions": conditions})
