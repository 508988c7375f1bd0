"""What the operator knows: one cache a kind, with the indices that reconcilers need. The manager's informers feed it.

It also knows which channels a change can touch, so that one agent's change does not reconcile ten thousand channels.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from lmos.operator import metrics
from lmos.operator.cache import Cache, Name
from lmos.operator.catalog import BY_LABELS
from lmos.operator.discovery.services import anchor, selects
from lmos.operator.workloads import Deployment, Rollout, Service, Workload
from lmos.resources.agent import Agent
from lmos.resources.channel import Channel, ResolveStatus
from lmos.resources.routing import ChannelRouting

__all__ = ["Views", "resolved_channels", "touched_by"]

_CAPABILITY = "capability"
_NAMESPACE = "namespace"
_SHOWN_CHANNELS = 1000
_ANCHOR = "anchor"
_POD_LABEL = "pod label"
# Stands for "requires nothing": such a channel is resolved as soon as any agent serves it. No capability has this name.
_NOTHING = ""


class Views:
    """The caches that reconcilers read, with their indices."""

    def __init__(self) -> None:
        sizes = metrics.CACHE_OBJECTS
        self.agents = Cache(Agent, {_CAPABILITY: _provided, _NAMESPACE: _namespace}, size=sizes.labels(Agent.KIND))
        self.channels = Cache(Channel, {_CAPABILITY: _required, **BY_LABELS}, size=sizes.labels(Channel.KIND))
        self.routings = Cache(ChannelRouting, BY_LABELS, size=sizes.labels(ChannelRouting.KIND))
        pods = {_POD_LABEL: _pod_labels}
        self.deployments = Cache(Deployment, pods, size=sizes.labels(Deployment.KIND))
        self.rollouts = Cache(Rollout, pods, size=sizes.labels(Rollout.KIND))
        self.services = Cache(Service, {_ANCHOR: _anchor}, size=sizes.labels(Service.KIND))

    def agent_names(self) -> set[Name]:
        """The names of all Agents and of all workloads that are agents."""
        return {*self.agents.names(), *self.deployments.names(), *self.rollouts.names()}

    def workloads(self, name: Name) -> tuple[Workload, ...]:
        """The Deployment and the Rollout of this name, as far as they are agents."""
        found = (self.deployments.get(name), self.rollouts.get(name))
        return tuple(workload for workload in found if workload is not None)

    def services_of(self, workload: Workload) -> list[Service]:
        """The Services in front of the workload's pods."""
        namespace, labels = workload.metadata.namespace, workload.pod_labels
        return [
            service
            for label in labels.items()
            for service in self.services.by_index(_ANCHOR, (namespace, *label))
            if selects(service, labels)
        ]

    def workloads_behind(self, service: Service) -> list[Workload]:
        """The workloads whose pods the Service is in front of."""
        if (label := anchor(service)) is None:
            return []
        value = (service.metadata.namespace, *label)
        found = (*self.deployments.by_index(_POD_LABEL, value), *self.rollouts.by_index(_POD_LABEL, value))
        return [workload for workload in found if selects(service, workload.pod_labels)]

    def agents_for(self, channel: Channel) -> Iterable[Agent]:
        """Every agent on which the resolution of `channel` can depend."""
        namespace = channel.metadata.namespace
        if not channel.spec.required_capabilities:
            return self.agents.by_index(_NAMESPACE, namespace)
        found: dict[str, Agent] = {}
        for capability in channel.spec.required_capabilities:
            for agent in self.agents.by_index(_CAPABILITY, (namespace, capability.name)):
                found[agent.metadata.name] = agent
        return found.values()


def resolved_channels(views: Views) -> Iterable[tuple[tuple[str, ...], float]]:
    """For the metric: namespace, name, tenant, channel and subset of Channels with a status, and whether it is good.

    Of very many, only some: unresolved ones before others.
    """
    unresolved: list[Channel] = []
    resolved: list[Channel] = []
    for channel in map(views.channels.get, views.channels.names()):
        if channel is not None and channel.status is not None and channel.status.resolve_status is not None:
            good = channel.status.resolve_status is ResolveStatus.RESOLVED
            (resolved if good else unresolved).append(channel)
    for number, channel in enumerate([*unresolved, *resolved][:_SHOWN_CHANNELS]):
        meta = channel.metadata
        labels = (meta.namespace, meta.name, channel.tenant or "", channel.channel or "", channel.subset)
        yield labels, float(number >= len(unresolved))


def touched_by(views: Views, old: Agent | None, new: Agent | None) -> set[Name]:
    """The channels whose resolution can change when agent `old` becomes `new` (`None`: it does not exist)."""
    if old is not None and new is not None and _as_resolved(old) == _as_resolved(new):
        return set()
    values: set[Hashable] = set()
    for agent in (old, new):
        if agent is not None:
            values.add((agent.metadata.namespace, _NOTHING))
            values.update(_provided(agent))
    return {
        (channel.metadata.namespace, channel.metadata.name)
        for value in values
        for channel in views.channels.by_index(_CAPABILITY, value)
    }


def _as_resolved(agent: Agent) -> Hashable:
    """All of an agent that a resolution or its routing depends on."""
    return agent.subset, agent.spec.endpoint, agent.offer


def _provided(agent: Agent) -> Iterable[Hashable]:
    return {(agent.metadata.namespace, capability.name) for capability in agent.offer.provided_capabilities}


def _required(channel: Channel) -> Iterable[Hashable]:
    names = {capability.name for capability in channel.spec.required_capabilities} or {_NOTHING}
    return {(channel.metadata.namespace, name) for name in names}


def _anchor(service: Service) -> Iterable[Hashable]:
    label = anchor(service)
    return () if label is None else ((service.metadata.namespace, *label),)


def _pod_labels(workload: Workload) -> Iterable[Hashable]:
    return {(workload.metadata.namespace, *label) for label in workload.pod_labels.items()}


def _namespace(agent: Agent) -> Iterable[Hashable]:
    return (agent.metadata.namespace,)
