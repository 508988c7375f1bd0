"""What a resource's types cannot say: ranges, versions, names, endpoints, weights.

The loader, the stores and the CLI call `validate` before a resource is kept. It looks at one resource alone; whether a
channel resolves is the operator's question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from lmos.resources.agent import Agent, Endpoint
from lmos.resources.base import ObjectMeta, Resource
from lmos.resources.channel import Channel
from lmos.resources.endpoints import BadEndpoint, check_endpoint
from lmos.resources.rollout import ChannelRollout
from lmos.resources.routing import ChannelRouting
from lmos.resources.rules import BadPattern, RoutingRules, compile_pattern
from lmos.resources.versions import BadRange, BadVersion, parse_range, parse_version

__all__ = ["Level", "Path", "Place", "Problem", "field_path", "validate"]

Level = Literal["error", "warning"]
Path = tuple[str | int, ...]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

_NAME_FIX = "use lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
_VALUE_FIX = (
    "use at most 63 letters, digits, '-', '_', '.', beginning and ending with a letter or digit, or leave it empty"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a manifest something stands. Lines and columns count from 1; 0 is the whole file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a resource: the field (wire names), its value, and what to do about it.

    A `warning` is legal but surely not meant. `place` is known when the resource came from a manifest.
    """

    path: Path
    value: object
    message: str
    fix: str
    level: Level = "error"
    place: Place | None = None

    @property
    def field(self) -> str:
        """The path as text: `spec.requiredCapabilities[0].version`; empty for the whole object."""
        return field_path(self.path)

    def at(self, place: Place) -> Problem:
        """The same problem, found at `place`."""
        return replace(self, place=place)

    def __str__(self) -> str:
        text = ": ".join(filter(None, (str(self.place or ""), self.field, self.message)))
        return f"{text}\n    fix: {self.fix}" if self.fix else text


def field_path(path: Path) -> str:
    """`("spec", "examples", 0)` as `spec.examples[0]`; a key that is no identifier as `labels["a/b"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_]*", step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def validate(resource: Resource) -> list[Problem]:
    """Everything wrong with `resource`, in the order of its fields; empty when nothing is."""
    problems = list(_metadata(resource.metadata))
    match resource:
        case Agent():
            problems.extend(_agent(resource))
        case Channel():
            problems.extend(_channel(resource))
        case ChannelRouting():
            problems.extend(_routing(resource))
        case ChannelRollout():
            problems.extend(_rollout(resource))
        case _:
            pass
    return problems


def _metadata(meta: ObjectMeta) -> Iterator[Problem]:
    if not _DNS_SUBDOMAIN.fullmatch(meta.name):
        yield Problem(("metadata", "name"), meta.name, f"{meta.name!r} is no valid name", _NAME_FIX)
    if not _DNS_LABEL.fullmatch(meta.namespace):
        message = f"{meta.namespace!r} is no valid namespace"
        yield Problem(("metadata", "namespace"), meta.namespace, message, _NAME_FIX.replace(" and '.'", ""))
    yield from _keys("labels", meta.labels)
    for key, value in meta.labels.items():
        if value and (len(value) > 63 or not _QUALIFIED.fullmatch(value)):
            yield Problem(("metadata", "labels", key), value, f"{value!r} is no valid label value", _VALUE_FIX)
    yield from _keys("annotations", meta.annotations)


def _keys(field: str, entries: Mapping[str, str]) -> Iterator[Problem]:
    for key in entries:
        prefix, slash, name = key.rpartition("/")
        good_prefix = not slash or (len(prefix) <= 253 and _DNS_SUBDOMAIN.fullmatch(prefix))
        if not good_prefix or len(name) > 63 or not _QUALIFIED.fullmatch(name):
            fix = "write 'name' or 'domain/name', the name of at most 63 letters, digits, '-', '_', '.'"
            yield Problem(("metadata", field, key), key, f"{key!r} is no valid key", fix)


def _agent(agent: Agent) -> Iterator[Problem]:
    spec = agent.spec
    # A capabilities document names the channels; an A2A card does not.
    told = spec.discover and spec.endpoint is not None and spec.endpoint.protocol == "arc"
    if not spec.supported_channels and not told:
        message = "the agent supports no channel, so no Channel will ever use it"
        fix = "list the channels that it serves, as in ['web']"
        yield Problem(("spec", "supportedChannels"), [], message, fix, "warning")
    for i, capability in enumerate(spec.provided_capabilities):
        try:
            parse_version(capability.version)
        except BadVersion as error:
            path = ("spec", "providedCapabilities", i, "version")
            yield Problem(path, error.text, f"version {error.text!r} {error.reason}", error.fix)
    if spec.endpoint is not None:
        yield from _endpoint(("spec", "endpoint"), spec.endpoint)
    if spec.discover and (spec.endpoint is None or spec.endpoint.protocol == "local"):
        message = "there is no url to ask what the agent can do"
        yield Problem(("spec", "discover"), True, message, "add spec.endpoint.url, or remove discover")


def _channel(channel: Channel) -> Iterator[Problem]:
    for label in ("tenant", "channel"):
        if label not in channel.metadata.labels:
            message = f"without the label {label!r} no agent will match this Channel"
            fix = f"add {label}: <name> under metadata.labels"
            yield Problem(("metadata", "labels"), None, message, fix, "warning")
    for i, capability in enumerate(channel.spec.required_capabilities):
        try:
            parse_range(capability.version)
        except BadRange as error:
            path = ("spec", "requiredCapabilities", i, "version")
            yield Problem(path, error.text, f"version range {error.text!r} {error.reason}", error.fix)
    if channel.spec.routing_rules is not None:
        yield from _rules(("spec", "routingRules"), channel.spec.routing_rules)


def _rules(path: Path, found: RoutingRules) -> Iterator[Problem]:
    for i, name in enumerate(found.denied_agents):
        if name in found.allowed_agents:
            message = f"agent {name!r} is both allowed and denied"
            yield Problem((*path, "deniedAgents", i), name, message, "remove it from allowedAgents or deniedAgents")
    for i, rule in enumerate(found.rules):
        at = (*path, "rules", i)
        if not rule.keywords and not rule.patterns:
            yield Problem(at, rule.name, "the rule never applies", "give it keywords or patterns")
        if rule.agent is not None and rule.agent in found.denied_agents:
            fix = "name another agent, or remove this one from deniedAgents"
            yield Problem((*at, "agent"), rule.agent, f"the rule sends to {rule.agent!r}, which is denied", fix)
        for j, keyword in enumerate(rule.keywords):
            if not any(character.isalnum() for character in keyword):
                message = f"keyword {keyword!r} has no word"
                yield Problem((*at, "keywords", j), keyword, message, "write letters or digits, or use a pattern")
        for j, text in enumerate(rule.patterns):
            try:
                compile_pattern(text)
            except BadPattern as error:
                message = f"pattern {error.text!r} {error.reason}"
                yield Problem((*at, "patterns", j), error.text, message, error.fix)


def _routing(routing: ChannelRouting) -> Iterator[Problem]:
    for i, group in enumerate(routing.spec.capability_groups):
        for j, capability in enumerate(group.capabilities):
            if capability.endpoint is not None:
                path = ("spec", "capabilityGroups", i, "capabilities", j, "endpoint")
                yield from _endpoint(path, capability.endpoint)
    if routing.spec.routing_rules is not None:
        yield from _rules(("spec", "routingRules"), routing.spec.routing_rules)


def _endpoint(path: Path, endpoint: Endpoint) -> Iterator[Problem]:
    try:
        check_endpoint(endpoint)
    except BadEndpoint as error:
        shown = f"{error.text!r} " if error.text else ""
        yield Problem((*path, "url"), error.text or None, f"endpoint {shown}{error.reason}", error.fix)


def _rollout(rollout: ChannelRollout) -> Iterator[Problem]:
    canary = rollout.spec.strategy and rollout.spec.strategy.canary
    if canary is None or canary.canary_channel is None or canary.stable_channel is None:
        return
    path = ("spec", "strategy", "canary")
    if (total := canary.canary_channel.weight + canary.stable_channel.weight) > 100:
        fix = "lower canaryChannel.weight or stableChannel.weight: they are percentages of one whole"
        yield Problem(path, total, f"the weights add up to {total}, more than 100", fix)
    if canary.canary_channel.name and canary.canary_channel.name == canary.stable_channel.name:
        message = f"canary and stable are the same Channel {canary.canary_channel.name!r}"
        yield Problem((*path, "canaryChannel", "name"), canary.canary_channel.name, message, "name two Channels")
