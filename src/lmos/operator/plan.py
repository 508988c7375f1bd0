"""What a change would do to channels, before it is applied: a pure comparison of two resolutions.

`lmos plan` prints it and makes its exit code of `Plan.newly_unresolved`. It writes nothing and knows no store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lmos.operator.resolver import Resolution, Unresolved, resolve
from lmos.resources.agent import Agent
from lmos.resources.base import Resource, ResourceKey
from lmos.resources.channel import Channel, RequiredCapability, ResolveStatus

__all__ = ["CapabilityChange", "ChannelPlan", "Outcome", "Plan", "Provider", "plan"]


class Outcome(StrEnum):
    """What happens to a channel; the first that applies."""

    ADDED = "added"
    REMOVED = "removed"
    BECOMES_UNRESOLVED = "becomes unresolved"
    BECOMES_RESOLVED = "becomes resolved"
    REWIRED = "rewired"
    STAYS = "stays"


@dataclass(frozen=True, slots=True)
class Provider:
    """An agent and the version of the capability that it provides."""

    agent: str
    version: str

    def __str__(self) -> str:
        return f"{self.agent}@{self.version}"


@dataclass(frozen=True, slots=True)
class CapabilityChange:
    """A required capability whose provider changes; `None` means that nobody provides it."""

    name: str
    required_version: str
    old: Provider | None
    new: Provider | None


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """One channel before and after; a status is `None` where the channel does not exist.

    `unresolved` says what would be missing afterwards, and why.
    """

    channel: ResourceKey
    outcome: Outcome
    old_status: ResolveStatus | None
    new_status: ResolveStatus | None
    capabilities: tuple[CapabilityChange, ...]
    unresolved: tuple[Unresolved, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Every channel, in order of namespace and name."""

    channels: tuple[ChannelPlan, ...]

    @property
    def changed(self) -> tuple[ChannelPlan, ...]:
        """The channels that do not simply stay as they are."""
        return tuple(channel for channel in self.channels if channel.outcome is not Outcome.STAYS)

    @property
    def newly_unresolved(self) -> tuple[ResourceKey, ...]:
        """Channels that would be unresolved and either were resolved or are new."""
        return tuple(
            channel.channel
            for channel in self.channels
            if channel.new_status is ResolveStatus.UNRESOLVED and channel.old_status is not ResolveStatus.UNRESOLVED
        )


def plan(current: Sequence[Resource], changes: Sequence[Resource], deletions: Iterable[ResourceKey] = ()) -> Plan:
    """Compare the channels of `current` with those after applying `changes` and removing `deletions`.

    Both states are resolved afresh: a status stored in `current` is not trusted, for the operator may lag behind.
    Raises `ValueError` when one object is changed twice, or changed and deleted.
    """
    before = {resource.key: resource for resource in current}
    changed = {key: _as_written(before.get(key), resource) for key, resource in _by_key(changes).items()}
    removed = frozenset(deletions)
    for key in changed:
        if key in removed:
            raise ValueError(f"{key} is both changed and deleted; plan one of the two")
    after = {key: resource for key, resource in (before | changed).items() if key not in removed}
    old, new = _World(before.values()), _World(after.values())
    touched = _touched(before, changed, removed)
    keys = sorted(old.channels.keys() | new.channels.keys(), key=lambda key: (key.namespace, key.name))
    return Plan(tuple(_channel_plan(key, old, new, touched) for key in keys))


def _by_key(resources: Iterable[Resource]) -> dict[ResourceKey, Resource]:
    found: dict[ResourceKey, Resource] = {}
    for resource in resources:
        if resource.key in found:
            raise ValueError(f"{resource.key} is changed twice; keep one of the two")
        found[resource.key] = resource
    return found


def _as_written(old: Resource | None, new: Resource) -> Resource:
    """`new` as the store would hold it: an Agent keeps its status, and with it what was discovered."""
    if isinstance(old, Agent) and isinstance(new, Agent):
        return new.model_copy(update={"status": old.status})
    return new


class _World:
    """Channels and agents of one state; agents are found by namespace and capability name."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.channels: dict[ResourceKey, Channel] = {}
        self._agents: dict[str, dict[str, Agent]] = {}
        self._providers: dict[tuple[str, str], dict[str, Agent]] = {}
        for resource in resources:
            if isinstance(resource, Channel):
                self.channels[resource.key] = resource
            elif isinstance(resource, Agent):
                self._add(resource)

    def _add(self, agent: Agent) -> None:
        namespace, name = agent.metadata.namespace, agent.metadata.name
        self._agents.setdefault(namespace, {})[name] = agent
        for capability in agent.offer.provided_capabilities:
            self._providers.setdefault((namespace, capability.name), {})[name] = agent

    def resolve(self, key: ResourceKey) -> _State | None:
        """The channel and its resolution, `None` where it does not exist."""
        channel = self.channels.get(key)
        if channel is None:
            return None
        required = channel.spec.required_capabilities
        if not required:
            return _State(channel, resolve(channel, self._agents.get(key.namespace, {}).values()))
        agents: dict[str, Agent] = {}
        for capability in required:
            agents |= self._providers.get((key.namespace, capability.name), {})
        return _State(channel, resolve(channel, agents.values()))


@dataclass(frozen=True, slots=True)
class _State:
    channel: Channel
    resolution: Resolution

    @property
    def status(self) -> ResolveStatus:
        return ResolveStatus.RESOLVED if self.resolution.resolved else ResolveStatus.UNRESOLVED

    def providers(self) -> dict[tuple[str, int], tuple[RequiredCapability, Provider | None]]:
        """(name, how many requirements of this name come before) -> the requirement and who provides it.

        So a channel that asks for another range of the same capability shows as one change of provider, not as two.
        """
        taken = {
            wire.required: Provider(wire.agent.metadata.name, wire.provided.version) for wire in self.resolution.wires
        }
        found: dict[tuple[str, int], tuple[RequiredCapability, Provider | None]] = {}
        counts: Counter[str] = Counter()
        for required in dict.fromkeys(self.channel.spec.required_capabilities):
            found[required.name, counts[required.name]] = (required, taken.get(required))
            counts[required.name] += 1
        return found


def _touched(
    before: dict[ResourceKey, Resource], changed: dict[ResourceKey, Resource], removed: frozenset[ResourceKey]
) -> frozenset[str]:
    """Namespaces in which an agent or a channel changes; elsewhere nothing can."""
    namespaces = [key.namespace for key, resource in changed.items() if before.get(key) != resource]
    namespaces += [key.namespace for key in removed if key in before]
    return frozenset(namespaces)


def _channel_plan(key: ResourceKey, old: _World, new: _World, touched: frozenset[str]) -> ChannelPlan:
    before = old.resolve(key)
    after = new.resolve(key) if key.namespace in touched else before
    capabilities = _capability_changes(before, after)
    old_status, new_status = before and before.status, after and after.status
    return ChannelPlan(
        channel=key,
        outcome=_outcome(old_status, new_status, capabilities),
        old_status=old_status,
        new_status=new_status,
        capabilities=capabilities,
        unresolved=after.resolution.unresolved if after is not None else (),
    )


def _outcome(
    old: ResolveStatus | None, new: ResolveStatus | None, capabilities: tuple[CapabilityChange, ...]
) -> Outcome:
    if old is None:
        return Outcome.ADDED
    if new is None:
        return Outcome.REMOVED
    if old is not new:
        return Outcome.BECOMES_RESOLVED if new is ResolveStatus.RESOLVED else Outcome.BECOMES_UNRESOLVED
    return Outcome.REWIRED if capabilities else Outcome.STAYS


def _capability_changes(before: _State | None, after: _State | None) -> tuple[CapabilityChange, ...]:
    """What differs between the two, in the order in which the new channel requires it, then what it drops."""
    old = before.providers() if before is not None else {}
    new = after.providers() if after is not None else {}
    changes: list[CapabilityChange] = []
    for place in dict.fromkeys((*new, *old)):
        required, then = old.get(place, (None, None))
        wanted, now = new.get(place, (None, None))
        shown = wanted or required
        if shown is not None and then != now:
            changes.append(CapabilityChange(shown.name, shown.version, then, now))
    return tuple(changes)
