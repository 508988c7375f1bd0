"""One table of the kinds that LMOS knows: names, models, columns. The CLI, the stores and the CRDs read it."""

from __future__ import annotations

from dataclasses import dataclass

from lmos.resources.agent import Agent
from lmos.resources.base import Resource
from lmos.resources.channel import Channel
from lmos.resources.rollout import ChannelRollout
from lmos.resources.routing import ChannelRouting

__all__ = ["KINDS", "Column", "Kind", "kind_named"]


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column: `path` is a JSONPath as in CRDs; `wide` columns show with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """Names of one kind, its model and its printer columns."""

    kind: str
    plural: str
    singular: str
    short: str
    model: type[Resource]
    has_status: bool
    columns: tuple[Column, ...]


KINDS: tuple[Kind, ...] = (
    Kind(
        "Agent",
        "agents",
        "agent",
        "ag",
        Agent,
        True,
        (
            Column("READY", '.status.conditions[?(@.type=="Ready")].status'),
            Column("CHANNELS", ".spec.supportedChannels"),
            Column("TENANTS", ".spec.supportedTenants"),
            Column("PROTOCOL", ".spec.endpoint.protocol"),
            Column("URL", ".spec.endpoint.url", wide=True),
            Column("REASON", '.status.conditions[?(@.type=="Ready")].reason', wide=True),
        ),
    ),
    Kind(
        "Channel",
        "channels",
        "channel",
        "ch",
        Channel,
        True,
        (
            Column("RESOLVE_STATUS", ".status.resolveStatus"),
            Column("TENANT", ".metadata.labels.tenant"),
            Column("CHANNEL", ".metadata.labels.channel"),
            Column("SUBSET", ".metadata.labels.subset"),
            Column("REASON", '.status.conditions[?(@.type=="Resolved")].reason', wide=True),
        ),
    ),
    Kind(
        "ChannelRouting",
        "channelroutings",
        "channelrouting",
        "cr",
        ChannelRouting,
        False,
        (
            Column("TENANT", ".metadata.labels.tenant"),
            Column("CHANNEL", ".metadata.labels.channel"),
            Column("SUBSET", ".metadata.labels.subset"),
            # Of `.spec.capabilityGroups[*].name`, an API server shows the first alone.
            Column("AGENTS", ".metadata.annotations.lmos\\.eclipse/agents"),
        ),
    ),
    Kind(
        "ChannelRollout",
        "channelrollouts",
        "channelrollout",
        "crl",
        ChannelRollout,
        False,
        (
            Column("CANARY", ".spec.strategy.canary.canaryChannel.name"),
            Column("WEIGHT", ".spec.strategy.canary.canaryChannel.weight", "integer"),
            Column("STABLE", ".spec.strategy.canary.stableChannel.name"),
        ),
    ),
)

_BY_NAME = {
    name.lower(): k for k in KINDS for name in (k.kind, k.plural, k.singular, k.short, f"{k.plural}.lmos.eclipse")
}


def kind_named(name: str) -> Kind:
    """The kind with this kind, plural, singular or short name in any case. Raises `KeyError` with the known names."""
    try:
        return _BY_NAME[name.lower()]
    except KeyError:
        known = ", ".join(f"{k.plural} ({k.short})" for k in KINDS)
        raise KeyError(f"unknown kind {name!r}; known kinds: {known}") from None
