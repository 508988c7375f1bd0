"""One object in words, with what stands around it. Pure: the store and the clock are the caller's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from lmos.cli.columns import age
from lmos.cli.sheet import Sheet
from lmos.cli.terminal import Cell, status_text
from lmos.cli.workspace import Happening
from lmos.resources.agent import Agent
from lmos.resources.base import Condition, Resource
from lmos.resources.channel import Channel, NearMiss, RequiredCapability
from lmos.resources.rollout import ChannelRollout, WeightedChannel
from lmos.resources.routing import CapabilityGroup, ChannelRouting

__all__ = ["Around", "describe_resource"]

_NONE = "<none>"


@dataclass(frozen=True, slots=True)
class Around:
    """The channels and routings of the namespaces in question."""

    channels: tuple[Channel, ...] = ()
    routings: tuple[ChannelRouting, ...] = ()

    def routing_of(self, channel: Channel) -> ChannelRouting | None:
        """The routing that the operator derived: it has the channel's name."""
        name = (channel.metadata.namespace, channel.metadata.name)
        return next((r for r in self.routings if (r.metadata.namespace, r.metadata.name) == name), None)

    def served_by(self, agent: Agent) -> Iterator[tuple[ChannelRouting, CapabilityGroup]]:
        """The routings in which `agent` provides something."""
        for routing in self.routings:
            if routing.metadata.namespace == agent.metadata.namespace:
                for group in routing.spec.capability_groups:
                    if group.name == agent.metadata.name:
                        yield routing, group

    def misses_of(self, agent: Agent) -> Iterator[tuple[Channel, NearMiss]]:
        """Channels that `agent` came close to serving."""
        for channel in self.channels:
            if channel.metadata.namespace == agent.metadata.namespace and channel.status is not None:
                for miss in channel.status.near_misses or ():
                    if miss.agent == agent.metadata.name:
                        yield channel, miss


def describe_resource(
    resource: Resource, around: Around, now: datetime, happenings: Sequence[Happening] | None = None
) -> Text:
    """The description, without line end. `happenings` are its events, `None` where nobody keeps them."""
    sheet = Sheet()
    _head(sheet, resource, now)
    match resource:
        case Agent():
            _agent(sheet, resource, around, now)
        case Channel():
            _channel(sheet, resource, around, now)
        case ChannelRouting():
            _routing(sheet, resource)
        case ChannelRollout():
            _rollout(sheet, resource)
        case _:
            raise AssertionError(f"no description of {resource.KIND}")
    if happenings is not None:
        _events(sheet, happenings, now)
    return sheet.text


def _head(sheet: Sheet, resource: Resource, now: datetime) -> None:
    meta = resource.metadata
    sheet.field("Name", meta.name)
    sheet.field("Namespace", meta.namespace)
    sheet.field("Kind", f"{resource.KIND} ({resource.api_version})")
    sheet.field("Labels", *(f"{key}={value}" for key, value in sorted(meta.labels.items())))
    if meta.annotations:
        sheet.field("Annotations", *(f"{key}: {value}" for key, value in sorted(meta.annotations.items())))
    if meta.creation_timestamp is not None:
        sheet.field("Created", f"{meta.creation_timestamp} ({age(meta.creation_timestamp, now)} ago)")
    if meta.generation is not None:
        sheet.field("Generation", str(meta.generation))
    if meta.owner_references:
        sheet.field("Owned by", *(f"{owner.kind}/{owner.name}" for owner in meta.owner_references))


def _agent(sheet: Sheet, agent: Agent, around: Around, now: datetime) -> None:
    offer = agent.offer
    sheet.field("Description", offer.description or _NONE)
    sheet.field("Tenants", ", ".join(offer.supported_tenants) or "<all>")
    sheet.field("Channels", ", ".join(offer.supported_channels) or _NONE)
    sheet.field("Subset", agent.subset)
    sheet.field("Endpoint", _endpoint(agent))
    if agent.status is not None and (source := agent.status.source) is not None:
        sheet.field("Discovered", source.url, *([f"revision {source.revision}"] if source.revision else []))
    provided = [(c.name, c.version, str(len(c.examples)), c.description) for c in offer.provided_capabilities]
    sheet.section("Provides", ("CAPABILITY", "VERSION", "EXAMPLES", "DESCRIPTION"), provided)
    serves = [
        (
            routing.metadata.name,
            *_labels(routing),
            ", ".join(f"{c.name}@{c.provided_version}" for c in group.capabilities),
        )
        for routing, group in around.served_by(agent)
    ]
    sheet.section("Serves", ("NAME", "TENANT", "CHANNEL", "SUBSET", "CAPABILITIES"), serves)
    sheet.lines("Near Misses", [_agent_miss(channel, miss) for channel, miss in around.misses_of(agent)])
    if agent.status is not None:
        _conditions(sheet, agent.status.conditions, now)


def _agent_miss(channel: Channel, miss: NearMiss) -> str:
    return f"channel {channel.metadata.name}, {miss.capability}: {miss.message} ({miss.reason})"


def _endpoint(agent: Agent) -> str:
    endpoint = agent.spec.endpoint
    if endpoint is None:
        return f"{_NONE} (the agent's name in the cluster)"
    return (
        "local (in the platform's own process)"
        if endpoint.protocol == "local"
        else f"{endpoint.protocol} {endpoint.url}"
    )


def _channel(sheet: Sheet, channel: Channel, around: Around, now: datetime) -> None:
    status = channel.status
    sheet.field("Tenant", channel.tenant or _NONE)
    sheet.field("Channel", channel.channel or _NONE)
    sheet.field("Subset", channel.subset)
    if status is None or status.resolve_status is None:
        sheet.field("Status", "<unknown> (not reconciled yet)")
    else:
        behind = status.observed_generation != channel.metadata.generation
        sheet.field("Status", status_text(status.resolve_status.value), *(["of an older generation"] if behind else []))
    routing = around.routing_of(channel)
    rows = [(r.name, r.version, r.strategy.value, _provider(r, routing)) for r in channel.spec.required_capabilities]
    sheet.section("Requires", ("CAPABILITY", "VERSION", "STRATEGY", "PROVIDED BY"), rows)
    if status is not None:
        misses = [(m.capability, m.agent, m.provided_version, m.reason, m.message) for m in status.near_misses or ()]
        if misses or status.unresolved_required_capabilities:
            headers = ("CAPABILITY", "AGENT", "PROVIDES", "REASON", "MESSAGE")
            sheet.section("Near Misses", headers, misses)
        _conditions(sheet, status.conditions, now)


def _provider(required: RequiredCapability, routing: ChannelRouting | None) -> Cell:
    for group in routing.spec.capability_groups if routing is not None else ():
        for capability in group.capabilities:
            if (capability.name, capability.required_version) == (required.name, required.version):
                return f"{group.name}@{capability.provided_version}"
    return Text(_NONE, "red")


def _routing(sheet: Sheet, routing: ChannelRouting) -> None:
    for label, value in zip(("Tenant", "Channel", "Subset"), _labels(routing), strict=True):
        sheet.field(label, value)
    rows = [
        (group.name, c.name, c.required_version, c.provided_version, c.host)
        for group in routing.spec.capability_groups
        for c in group.capabilities
    ]
    sheet.section("Routes", ("AGENT", "CAPABILITY", "REQUIRED", "PROVIDED", "HOST"), rows)


def _rollout(sheet: Sheet, rollout: ChannelRollout) -> None:
    canary = rollout.spec.strategy and rollout.spec.strategy.canary
    for label, share in (
        ("Canary", canary.canary_channel if canary else None),
        ("Stable", canary.stable_channel if canary else None),
    ):
        sheet.field(label, _share(share))


def _share(share: WeightedChannel | None) -> str:
    return _NONE if share is None else f"{share.name or _NONE} ({share.weight} %)"


def _labels(routing: ChannelRouting) -> tuple[str, str, str]:
    return routing.tenant or _NONE, routing.channel or _NONE, routing.subset


def _conditions(sheet: Sheet, conditions: Sequence[Condition], now: datetime) -> None:
    rows = [(c.type, status_text(c.status), age(c.last_transition_time, now), c.reason, c.message) for c in conditions]
    sheet.section("Conditions", ("TYPE", "STATUS", "SINCE", "REASON", "MESSAGE"), rows)


def _events(sheet: Sheet, happenings: Sequence[Happening], now: datetime) -> None:
    rows = [(h.type, h.reason, _happened(h, now), h.source, h.message) for h in happenings]
    sheet.section("Events", ("TYPE", "REASON", "AGE", "FROM", "MESSAGE"), rows)


def _happened(happening: Happening, now: datetime) -> str:
    ago = age(happening.at, now)
    return ago if happening.count < 2 else f"{ago} (x{happening.count})"
