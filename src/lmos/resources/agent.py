"""The `Agent` resource: what an agent can do, for whom, and where it lives."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

from lmos.resources.base import Condition, Example, Model, Name, Resource

__all__ = [
    "STABLE",
    "Agent",
    "AgentSource",
    "AgentSpec",
    "AgentStatus",
    "Endpoint",
    "Offer",
    "Protocol",
    "ProvidedCapability",
]

Protocol = Literal["arc", "a2a", "local"]

STABLE: Final = "stable"
"""The subset of an object without the label `subset`."""


class Endpoint(Model):
    """Where an agent answers (addition to Eclipse LMOS)."""

    url: str | None = Field(
        default=None,
        max_length=2048,
        description="Base of the agent's addresses. http(s) and ws(s) mean the same; for 'arc', a url without a path "
        "gets /subscriptions. A 'local' agent lives in the platform's own process and has none.",
    )
    protocol: Protocol = Field(default="arc", description="What the agent speaks; 'arc' when left out.")


class ProvidedCapability(Model):
    """One thing that an agent can do, in one version, with example queries for the router."""

    id: str = Field(default="", max_length=253, description="Identifier for people; resolving goes by name.")
    name: str = Field(min_length=1, max_length=253, description="What channels require it by.")
    version: str = Field(min_length=1, max_length=256, description="Semantic version, as in 1.2.0.")
    description: str = Field(default="", max_length=16384, description="What it does, for people and the router.")
    examples: tuple[Example, ...] = Field(
        default=(), max_length=1000, description="Queries as customers put them; the router learns from these."
    )


class Offer(Model):
    """What an agent can do, and for whom."""

    id: str = Field(default="", max_length=253, description="Identifier for people; the platform goes by the name.")
    description: str = Field(default="", max_length=16384, description="What the agent is for.")
    supported_tenants: tuple[Name, ...] = Field(
        default=(), max_length=1000, description="Tenants that may use the agent; empty means every tenant."
    )
    supported_channels: tuple[Name, ...] = Field(
        default=(), max_length=1000, description="Channels that may use the agent; empty means none."
    )
    provided_capabilities: tuple[ProvidedCapability, ...] = Field(
        default=(), max_length=1000, description="What the agent can do."
    )


class AgentSpec(Offer):
    """What the agent can do, for whom, and where it answers. Endpoint and `discover` are additions to Eclipse LMOS."""

    endpoint: Endpoint | None = None
    discover: bool | None = Field(
        default=None,
        description="Whether the operator asks the endpoint what the agent can do. What it says holds where this spec "
        "says nothing.",
    )


class AgentSource(Model):
    """What the operator read to know what the agent can do."""

    url: str = Field(max_length=4096, description="The document.")
    revision: str | None = Field(
        default=None, max_length=253, description="Revision of the workload that runs the agent, at that time."
    )
    digest: str | None = Field(
        default=None, max_length=64, description="Digest of the workload's pods and annotations, at that time."
    )


class AgentStatus(Model):
    """Written by the operator (addition to Eclipse LMOS)."""

    observed_generation: int | None = Field(default=None, description="The metadata.generation that this is about.")
    source: AgentSource | None = None
    discovered: Offer | None = Field(
        default=None, description="What the endpoint of an Agent with spec.discover says that it can do."
    )
    conditions: tuple[Condition, ...] = Field(default=(), max_length=32, description="One condition of each type.")


class Agent(Resource):
    """An agent: what it can do, for which tenants and channels, and where it answers. Its label `subset` tells
    variants apart; without one it is `stable`.
    """

    KIND: ClassVar[str] = "Agent"

    kind: Literal["Agent"] = "Agent"
    spec: AgentSpec = Field(default_factory=AgentSpec)
    status: AgentStatus | None = None

    @property
    def subset(self) -> str:
        """The `subset` label, `stable` when missing."""
        return self.metadata.labels.get("subset", STABLE)

    @property
    def offer(self) -> Offer:
        """What the agent can do: the spec's words, and where it says nothing what was discovered."""
        spec, found = self.spec, self.status.discovered if self.status is not None and self.spec.discover else None
        if found is None:
            return spec
        return Offer.model_construct(
            id=spec.id or found.id,
            description=spec.description or found.description,
            supported_tenants=spec.supported_tenants or found.supported_tenants,
            supported_channels=spec.supported_channels or found.supported_channels,
            provided_capabilities=spec.provided_capabilities or found.provided_capabilities,
        )
