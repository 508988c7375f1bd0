"""What a resolution means on the wire: the ChannelRouting and the Channel's status. Pure: time comes as an argument.

The Channel controller applies both; nothing here reads a store or decides who provides what.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from lmos.clock import rfc3339
from lmos.operator import reasons
from lmos.operator.resolver import Resolution, Unresolved, Wire
from lmos.resources.agent import Agent
from lmos.resources.base import Condition, ObjectMeta, OwnerReference
from lmos.resources.channel import Channel, ChannelStatus, NearMiss, ResolveStatus
from lmos.resources.endpoints import host_of
from lmos.resources.routing import CapabilityGroup, ChannelRouting, ChannelRoutingSpec, RoutedCapability

__all__ = ["COPIED_LABELS", "MAX_STATUS_NEAR_MISSES", "routing_for", "status_for"]

COPIED_LABELS: Final = ("channel", "tenant", "version", "subset")
# A status is stored with each Channel; a thousand hopeless requirements must not make it unreadable.
MAX_STATUS_NEAR_MISSES: Final = 50
_SHOWN_UNRESOLVED: Final = 10
_SHOWN_AGENTS: Final = 10


def routing_for(channel: Channel, resolution: Resolution, *, platform_host: str | None) -> ChannelRouting:
    """The ChannelRouting of `channel`: one group per agent, both in the order in which the channel requires them.

    It has the channel's name, namespace and (where present) its four meaningful labels, and belongs to it. `host` is
    the endpoint's `host:port`; `platform_host` for agents that live in the platform's own process; without either the
    agent's cluster name, as in Eclipse LMOS. A channel that no store has given a `uid` gets no owner reference.
    """
    labels = channel.metadata.labels
    groups = _groups(resolution.wires, platform_host)
    return ChannelRouting(
        metadata=ObjectMeta(
            name=channel.metadata.name,
            namespace=channel.metadata.namespace,
            labels={label: labels[label] for label in COPIED_LABELS if label in labels},
            annotations={reasons.AGENTS: _names(groups)} if groups else {},
            owner_references=_owners(channel),
        ),
        spec=ChannelRoutingSpec(capability_groups=groups, routing_rules=channel.spec.routing_rules),
    )


def _names(groups: Sequence[CapabilityGroup]) -> str:
    """`billing,contract`, at most as many as fit into a column."""
    names = [group.name for group in groups[:_SHOWN_AGENTS]]
    rest = len(groups) - len(names)
    return ",".join([*names, *([f"+{rest} more"] if rest else [])])


def _owners(channel: Channel) -> tuple[OwnerReference, ...]:
    if channel.metadata.uid is None:
        return ()
    return (
        OwnerReference(
            api_version=channel.api_version,  # set, since `as_written` leaves defaults out, and Kubernetes demands it
            kind=Channel.KIND,
            name=channel.metadata.name,
            uid=channel.metadata.uid,
            controller=True,
            block_owner_deletion=True,
        ),
    )


def _groups(wires: Sequence[Wire], platform_host: str | None) -> tuple[CapabilityGroup, ...]:
    agents: dict[str, Agent] = {}
    capabilities: dict[str, dict[RoutedCapability, None]] = {}
    for wire in wires:
        name = wire.agent.metadata.name
        agents[name] = wire.agent
        # Two requirements may end at one provided capability; the routing names equal entries once.
        capabilities.setdefault(name, {})[_capability(wire, platform_host)] = None
    return tuple(
        CapabilityGroup(
            id=agent.offer.id, name=name, description=agent.offer.description, capabilities=tuple(capabilities[name])
        )
        for name, agent in agents.items()
    )


def _capability(wire: Wire, platform_host: str | None) -> RoutedCapability:
    provided = wire.provided
    return RoutedCapability(
        id=provided.id,
        name=provided.name,
        required_version=wire.required.version,
        provided_version=provided.version,
        host=_host(wire.agent, platform_host),
        description=provided.description,
        examples=provided.examples,
        endpoint=wire.agent.spec.endpoint,
    )


def _host(agent: Agent, platform_host: str | None) -> str:
    endpoint = agent.spec.endpoint
    if endpoint is not None and endpoint.protocol == "local" and platform_host is not None:
        return platform_host
    if endpoint is not None and endpoint.protocol != "local":
        return host_of(endpoint)
    return f"{agent.metadata.name}.{agent.metadata.namespace}.svc.cluster.local"


def status_for(channel: Channel, resolution: Resolution, now: datetime) -> ChannelStatus:
    """The status of `channel` at `now`. The condition keeps its `lastTransitionTime` while its status is the same."""
    unresolved = resolution.unresolved
    near_misses = [miss for missing in unresolved for miss in missing.near_misses]
    return ChannelStatus(
        resolve_status=ResolveStatus.RESOLVED if resolution.resolved else ResolveStatus.UNRESOLVED,
        unresolved_required_capabilities=tuple(missing.required for missing in unresolved) or None,
        near_misses=_bounded(near_misses),
        observed_generation=channel.metadata.generation,
        conditions=(_condition(channel, resolution, now),),
    )


def _bounded(near_misses: Sequence[NearMiss]) -> tuple[NearMiss, ...] | None:
    return tuple(near_misses[:MAX_STATUS_NEAR_MISSES]) or None


def _condition(channel: Channel, resolution: Resolution, now: datetime) -> Condition:
    reason, message = _summary(resolution)
    status = "True" if resolution.resolved else "False"
    return Condition(
        type=reasons.RESOLVED,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=_since(channel, status) or rfc3339(now),
        observed_generation=channel.metadata.generation,
    )


def _since(channel: Channel, status: str) -> str | None:
    """Since when the condition has this status; `None` if it had not."""
    for known in channel.status.conditions if channel.status is not None else ():
        if known.type == reasons.RESOLVED and known.status == status:
            return known.last_transition_time
    return None


def _summary(resolution: Resolution) -> tuple[str, str]:
    """Reason and message of the condition."""
    if resolution.resolved:
        agents = len({wire.agent.metadata.name for wire in resolution.wires})
        return reasons.ALL_CAPABILITIES_PROVIDED, f"capabilities: {len(resolution.wires)}, agents: {agents}"
    if not resolution.served:
        return reasons.NO_AGENT_SERVES_CHANNEL, _missing(resolution.unresolved) or "no agent serves this channel"
    return reasons.CAPABILITIES_UNRESOLVED, _missing(resolution.unresolved)


def _missing(unresolved: Sequence[Unresolved]) -> str:
    shown = "; ".join(f"{missing.reason}: {missing.message}" for missing in unresolved[:_SHOWN_UNRESOLVED])
    rest = len(unresolved) - _SHOWN_UNRESOLVED
    return f"{shown}; and {rest} more" if rest > 0 else shown
