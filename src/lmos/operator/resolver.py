"""Which agent provides which capability of a channel: a pure function of one Channel and the Agents around it.

The reconciler and `lmos plan` call `resolve`; status and routing are derived from its result. It knows no store, no
clock and no network. What an unparsable version or range does here: the agent's capability is passed over, the
requirement stays unresolved, and both say why; one bad object never breaks another's channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lmos.operator import reasons
from lmos.resources.agent import Agent, ProvidedCapability
from lmos.resources.channel import Channel, NearMiss, RequiredCapability, ResolveStrategy
from lmos.resources.endpoints import BadEndpoint, check_endpoint
from lmos.resources.versions import BadRange, BadVersion, Version, VersionRange, parse_range, parse_version

__all__ = ["MAX_NEAR_MISSES", "Resolution", "Unresolved", "Wire", "resolve", "serves"]

MAX_NEAR_MISSES: Final = 5
_SHOWN_NAMES: Final = 5
_MAX_MESSAGE: Final = 1024


@dataclass(frozen=True, slots=True)
class Wire:
    """A required capability, the provided one that meets it, and the agent that provides it."""

    required: RequiredCapability
    provided: ProvidedCapability
    agent: Agent


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A required capability that nobody provides to this channel.

    `reason` is one of `BadRange`, `NotProvided` (no agent of the namespace has a capability of this name) or
    `NoMatchingAgent`; `near_misses` are at most `MAX_NEAR_MISSES` agents that have the name, nearest first.
    """

    required: RequiredCapability
    reason: str
    message: str
    near_misses: tuple[NearMiss, ...] = ()


@dataclass(frozen=True, slots=True)
class Resolution:
    """Wires and unresolved capabilities in the order in which the channel requires them.

    `served` tells whether any agent that has to do with what the channel requires serves it: tenant, channel and subset
    fit. Others do not count, so that the operator need not look at a channel when one of them changes.
    """

    wires: tuple[Wire, ...]
    unresolved: tuple[Unresolved, ...]
    served: bool

    @property
    def resolved(self) -> bool:
        """True when nothing is missing. As in Eclipse LMOS, a channel that no agent serves is never resolved, even
        when it requires nothing."""
        return self.served and not self.unresolved


@dataclass(frozen=True, slots=True)
class _Offer:
    """One provided capability of one agent. `misses` are the reasons why the agent does not serve the channel;
    `version` is None when unparsable, `fault` then says why."""

    agent: Agent
    provided: ProvidedCapability
    misses: tuple[str, ...]
    version: Version | None
    fault: str = ""


def resolve(channel: Channel, agents: Iterable[Agent]) -> Resolution:
    """Wire the channel's required capabilities to agents of its namespace.

    An agent serves the channel when its subset is equal (`stable` when unlabelled), its `supportedTenants` are empty
    or contain the tenant, its `supportedChannels` contain the channel, and its endpoint (if any) can be dialled.
    A capability matches by name and version range; the strategy picks the version, and the first agent by name wins
    among equal versions. The order of `agents` does not matter; equal requirements count once.
    """
    local = sorted(
        (agent for agent in agents if agent.metadata.namespace == channel.metadata.namespace),
        key=lambda agent: agent.metadata.name,
    )
    required = tuple(dict.fromkeys(channel.spec.required_capabilities))
    misses = [_misses(channel, agent) for agent in local]
    offers = _offers({capability.name for capability in required}, local, misses)
    wires: list[Wire] = []
    unresolved: list[Unresolved] = []
    for capability in required:
        outcome = _wire(channel, capability, offers.get(capability.name, ()))
        if isinstance(outcome, Wire):
            wires.append(outcome)
        else:
            unresolved.append(outcome)
    return Resolution(tuple(wires), tuple(unresolved), served=_is_served(required, local, misses, offers))


def _is_served(
    required: Sequence[RequiredCapability],
    agents: Sequence[Agent],
    misses: Sequence[tuple[str, ...]],
    offers: Mapping[str, Sequence[_Offer]],
) -> bool:
    serving = {agent.metadata.name for agent, missed in zip(agents, misses, strict=True) if not missed}
    if not required:
        return bool(serving)
    return any(offer.agent.metadata.name in serving for found in offers.values() for offer in found)


def serves(agent: Agent, channel: Channel) -> bool:
    """Whether a channel of the same namespace may use the agent, whatever it requires."""
    return not _misses(channel, agent)


def _misses(channel: Channel, agent: Agent) -> tuple[str, ...]:
    """Why the agent does not serve the channel; empty when it does."""
    offer = agent.offer
    found: list[str] = []
    if channel.channel is None or channel.channel not in offer.supported_channels:
        found.append(reasons.CHANNEL_NOT_SUPPORTED)
    if offer.supported_tenants and channel.tenant not in offer.supported_tenants:
        found.append(reasons.TENANT_NOT_SUPPORTED)
    if agent.subset != channel.subset:
        found.append(reasons.OTHER_SUBSET)
    if _endpoint_fault(agent):
        found.append(reasons.BAD_ENDPOINT)
    return tuple(found)


def _endpoint_fault(agent: Agent) -> str:
    """Why the agent's endpoint cannot be dialled; empty when it can, or when there is none."""
    endpoint = agent.spec.endpoint
    if endpoint is None:
        return ""
    try:
        check_endpoint(endpoint)
    except BadEndpoint as fault:
        return str(fault)
    return ""


def _offers(names: set[str], agents: Sequence[Agent], misses: Sequence[tuple[str, ...]]) -> dict[str, list[_Offer]]:
    """The provided capabilities with one of `names`, by name, in order of agent name and position."""
    offers: dict[str, list[_Offer]] = {}
    for agent, missed in zip(agents, misses, strict=True):
        for provided in agent.offer.provided_capabilities:
            if provided.name in names:
                offers.setdefault(provided.name, []).append(_offer(agent, provided, missed))
    return offers


def _offer(agent: Agent, provided: ProvidedCapability, misses: tuple[str, ...]) -> _Offer:
    try:
        return _Offer(agent, provided, misses, parse_version(provided.version))
    except BadVersion as fault:
        return _Offer(agent, provided, (reasons.BAD_VERSION, *misses), None, str(fault))


def _wire(channel: Channel, required: RequiredCapability, offers: Sequence[_Offer]) -> Wire | Unresolved:
    try:
        wanted = parse_range(required.version)
    except BadRange as fault:
        return Unresolved(required, reasons.BAD_RANGE, _shorten(str(fault)))
    fitting = [
        (offer, offer.version)
        for offer in offers
        if not offer.misses and offer.version is not None and wanted.matches(offer.version)
    ]
    if fitting:
        taken = _pick(required.strategy, wanted, fitting)
        return Wire(required, taken.provided, taken.agent)
    if not offers:
        return Unresolved(required, reasons.NOT_PROVIDED, f"no agent provides {required.name!r} in any version")
    return Unresolved(
        required,
        reasons.NO_MATCHING_AGENT,
        f"no agent provides {required.name!r} {required.version!r} to this channel",
        _near_misses(channel, required, wanted, offers),
    )


def _pick(strategy: ResolveStrategy, wanted: VersionRange, fitting: Sequence[tuple[_Offer, Version]]) -> _Offer:
    choose = wanted.most_similar if strategy is ResolveStrategy.MOST_SIMILAR else wanted.highest
    best = choose(version for _, version in fitting)
    # Versions that differ in build metadata only are equal: the first agent by name wins.
    return next(offer for offer, version in fitting if version == best)


def _near_misses(
    channel: Channel, required: RequiredCapability, wanted: VersionRange, offers: Sequence[_Offer]
) -> tuple[NearMiss, ...]:
    """One miss per agent: fewest reasons first, then the least grave, then by agent name."""
    nearest: dict[str, tuple[_Offer, tuple[str, ...]]] = {}
    for offer in offers:
        misses = offer.misses
        if offer.version is not None and not wanted.matches(offer.version):
            misses = (reasons.VERSION_OUT_OF_RANGE, *misses)
        known = nearest.get(offer.agent.metadata.name)
        if known is None or _closer((offer, misses), known):
            nearest[offer.agent.metadata.name] = (offer, misses)
    ordered = sorted(nearest.items(), key=lambda item: (_distance(item[1][1]), item[0]))
    return tuple(_near_miss(channel, required, *entry) for _, entry in ordered[:MAX_NEAR_MISSES])


def _distance(misses: tuple[str, ...]) -> tuple[int, int]:
    """Few reasons are nearer than many; at equal count the gravest reason decides."""
    return len(misses), max(reasons.MISS_ORDER.index(reason) for reason in misses)


def _closer(one: tuple[_Offer, tuple[str, ...]], other: tuple[_Offer, tuple[str, ...]]) -> bool:
    """Whether `one` is nearer than `other` of the same agent; among equally near versions the higher is."""
    near, far = _distance(one[1]), _distance(other[1])
    if near != far:
        return near < far
    version, known = one[0].version, other[0].version
    return version is not None and (known is None or known < version)


def _near_miss(channel: Channel, required: RequiredCapability, offer: _Offer, misses: tuple[str, ...]) -> NearMiss:
    """`reason` is the gravest one; the message explains all of them, from the gravest."""
    gravest_first = tuple(reversed(misses))
    return NearMiss(
        capability=required.name,
        agent=offer.agent.metadata.name,
        provided_version=offer.provided.version,
        reason=gravest_first[0],
        message=_shorten("; ".join(_explain(reason, channel, required, offer) for reason in gravest_first)),
    )


def _explain(reason: str, channel: Channel, required: RequiredCapability, offer: _Offer) -> str:
    served = offer.agent.offer
    match reason:
        case reasons.CHANNEL_NOT_SUPPORTED:
            channels = f"channels {_names(served.supported_channels)}" if served.supported_channels else "no channel"
            return f"serves {channels}; the label 'channel' is {_label(channel.channel)}"
        case reasons.TENANT_NOT_SUPPORTED:
            return f"serves tenants {_names(served.supported_tenants)}; the label 'tenant' is {_label(channel.tenant)}"
        case reasons.OTHER_SUBSET:
            return f"is in subset {offer.agent.subset!r}; the channel is in {channel.subset!r}"
        case reasons.BAD_VERSION:
            return offer.fault
        case reasons.BAD_ENDPOINT:
            return _endpoint_fault(offer.agent)
        case _:
            return f"provides {offer.provided.version!r}, outside {required.version!r}"


def _label(value: str | None) -> str:
    return "missing" if value is None else repr(value)


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN_NAMES])
    return shown if len(names) <= _SHOWN_NAMES else f"{shown} and {len(names) - _SHOWN_NAMES} more"


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 1] + "…"
