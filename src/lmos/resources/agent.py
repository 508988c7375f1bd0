"""The `Agent` resource: what an agent can do, for whom, and where it lives."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from lmos.resources.base import Condition, Model, Resource

__all__ = ["Agent", "AgentSpec", "AgentStatus", "Endpoint", "Protocol", "ProvidedCapability"]

Protocol = Literal["arc", "a2a", "local"]

STABLE = "stable"


class Endpoint(Model):
    """Where an agent answers (addition to Eclipse LMOS).

    `url` is a base: http(s) and ws(s) mean the same, and for `arc` a url without a path gets `/subscriptions`.
    `local` agents live in the platform's own process and have no url.
    """

    url: str | None = Field(default=None, max_length=2048)
    protocol: Protocol = "arc"


class ProvidedCapability(Model):
    """One thing that an agent can do, in one version, with example queries for the router."""

    id: str = Field(default="", max_length=253)
    name: str = Field(min_length=1, max_length=253)
    version: str = Field(min_length=1, max_length=256)
    description: str = Field(default="", max_length=16384)
    examples: tuple[str, ...] = Field(default=(), max_length=1000)


class AgentSpec(Model):
    """An empty `supported_tenants` means every tenant; an empty `supported_channels` none (as in Eclipse LMOS)."""

    id: str = Field(default="", max_length=253)
    description: str = Field(default="", max_length=16384)
    supported_tenants: tuple[str, ...] = Field(default=(), max_length=1000)
    supported_channels: tuple[str, ...] = Field(default=(), max_length=1000)
    provided_capabilities: tuple[ProvidedCapability, ...] = Field(default=(), max_length=1000)
    endpoint: Endpoint | None = None


class AgentStatus(Model):
    """Written by the operator (addition to Eclipse LMOS)."""

    observed_generation: int | None = None
    conditions: tuple[Condition, ...] = ()


class Agent(Resource):
    """Kind `Agent` (`agents.lmos.eclipse`, short `ag`)."""

    KIND: ClassVar[str] = "Agent"

    kind: Literal["Agent"] = "Agent"
    spec: AgentSpec = Field(default_factory=AgentSpec)
    status: AgentStatus | None = None

    @property
    def subset(self) -> str:
        """The `subset` label, `stable` when missing."""
        return self.metadata.labels.get("subset", STABLE)
