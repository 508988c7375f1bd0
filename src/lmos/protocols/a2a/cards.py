"""The A2A agent card: how an agent that speaks A2A tells what it can do. Versions 0.3 and 1.0 of the protocol.

An operator reads it. What is read must have the protocol's types, or it would be lost silently; members beyond are
passed over, as A2A asks of its readers, since cards carry extensions, signatures and whatever comes next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

__all__ = ["CARD_PATHS", "AgentCard", "BadCard", "Interface", "Skill", "parse_card"]

CARD_PATHS: Final = ("/.well-known/agent-card.json", "/.well-known/agent.json")
"""Where a card is served: now, and before version 0.3."""

_OLDEST: Final = "0.3"


class BadCard(ValueError):
    """The card cannot be understood; the message names member, value and fix."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Where the agent answers, over which binding (`JSONRPC`, `GRPC`, `HTTP+JSON`, ...) and in which version of A2A."""

    url: str
    binding: str
    version: str


@dataclass(frozen=True, slots=True)
class Skill:
    """One thing that the agent can do; `id` is what machines know it by, `name` what people do."""

    id: str
    name: str
    description: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentCard:
    """What the agent says of itself. `version` is its own, in whatever form its provider likes, and may be empty."""

    name: str
    description: str
    version: str
    interfaces: tuple[Interface, ...]
    """At least one, best first."""
    skills: tuple[Skill, ...]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel)


class _Interface(_Strict):
    url: str
    protocol_binding: str
    protocol_version: str


class _OldInterface(_Strict):
    url: str
    transport: str


class _Skill(_Strict):
    id: str
    name: str
    description: str
    examples: list[str] = Field(default_factory=list[str])


class _Card(_Strict):
    """Both shapes in one: 1.0 has `supportedInterfaces`, 0.3 had `url` and what stands beside it."""

    name: str
    description: str
    # Servers that write JSON from Protocol Buffers leave out what is empty.
    version: str = ""
    skills: list[_Skill] = Field(default_factory=list[_Skill])
    supported_interfaces: list[_Interface] = Field(default_factory=list[_Interface])
    url: str | None = None
    preferred_transport: str = "JSONRPC"
    protocol_version: str = _OLDEST
    additional_interfaces: list[_OldInterface] = Field(default_factory=list[_OldInterface])

    def interfaces(self) -> tuple[Interface, ...]:
        """Those of 1.0 where there are any, since a card may have both for the sake of old clients."""
        if self.supported_interfaces:
            return tuple(Interface(i.url, i.protocol_binding, i.protocol_version) for i in self.supported_interfaces)
        if self.url is None:
            return ()
        old = [(self.url, self.preferred_transport), *((i.url, i.transport) for i in self.additional_interfaces)]
        return tuple(Interface(url, transport, self.protocol_version) for url, transport in dict.fromkeys(old))


def parse_card(text: bytes | str) -> AgentCard:
    """Read a card. Raises `BadCard` that lists every wrong member."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadCard(f"the agent card is not JSON: {error}") from None
    try:
        card = _Card.model_validate(value)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'card'}: "
            + ("is missing" if fault["type"] == "missing" else f"{fault['msg']}, got {fault['input']!r:.80}")
            for fault in error.errors()
        )
        raise BadCard(f"agent card: {faults}") from None
    interfaces = card.interfaces()
    if not interfaces:
        raise BadCard("agent card: supportedInterfaces: is missing; name at least one interface (A2A 0.3: url)")
    skills = tuple(Skill(s.id, s.name, s.description, tuple(s.examples)) for s in card.skills)
    return AgentCard(card.name, card.description, card.version, interfaces, skills)
