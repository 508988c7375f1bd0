"""The `Channel` resource: the capabilities that one tenant's channel needs, and whether they are met."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field

from lmos.resources.agent import STABLE
from lmos.resources.base import Condition, Model, Resource
from lmos.resources.rules import RoutingRules

__all__ = [
    "Channel",
    "ChannelLabelled",
    "ChannelSpec",
    "ChannelStatus",
    "NearMiss",
    "RequiredCapability",
    "ResolveStatus",
    "ResolveStrategy",
]


class ResolveStrategy(StrEnum):
    """Which of several satisfying versions a channel takes."""

    HIGHEST = "HIGHEST"
    MOST_SIMILAR = "MOST_SIMILAR"


class ResolveStatus(StrEnum):
    """Whether every required capability of a channel is provided."""

    RESOLVED = "RESOLVED"
    UNRESOLVED = "UNRESOLVED"


class RequiredCapability(Model):
    """A capability that the channel needs, in a range of versions."""

    id: str = Field(default="", max_length=253, description="Identifier for people; resolving goes by name.")
    name: str = Field(min_length=1, max_length=253, description="Name of the provided capability.")
    version: str = Field(
        max_length=512, description="Range in npm's syntax (^1.2, >=1 <2) or Ivy's ([1.0,2.0), latest)."
    )
    strategy: ResolveStrategy = Field(
        default=ResolveStrategy.HIGHEST, description="Which of several versions to take; HIGHEST when left out."
    )


class NearMiss(Model):
    """An agent that came close to providing an unresolved capability, and why it missed (addition to Eclipse LMOS)."""

    capability: str = Field(max_length=253, description="The required capability.")
    agent: str = Field(max_length=253, description="Name of the Agent that came close.")
    provided_version: str = Field(default="", max_length=256, description="The version that it provides.")
    reason: str = Field(max_length=64, description="Why it missed, in CamelCase.")
    message: str = Field(default="", max_length=4096, description="The reason in words.")


class ChannelSpec(Model):
    """What the channel needs of agents."""

    required_capabilities: tuple[RequiredCapability, ...] = Field(
        max_length=1000, description="All of these must be provided for the channel to be RESOLVED."
    )
    routing_rules: RoutingRules | None = Field(
        default=None, description="What is decided before any model is asked (addition to Eclipse LMOS)."
    )


class ChannelStatus(Model):
    """Written by the operator. Near misses, conditions and observed generation are additions to Eclipse LMOS."""

    resolve_status: ResolveStatus | None = Field(
        default=None, description="RESOLVED when every required capability is provided."
    )
    unresolved_required_capabilities: tuple[RequiredCapability, ...] | None = Field(
        default=None, max_length=1000, description="The required capabilities that nobody provides."
    )
    near_misses: tuple[NearMiss, ...] | None = Field(
        default=None,
        max_length=1000,
        description="Which agents came close to the unresolved ones, and why they missed.",
    )
    observed_generation: int | None = Field(default=None, description="The metadata.generation that this is about.")
    conditions: tuple[Condition, ...] = Field(default=(), max_length=32, description="One condition of each type.")


class ChannelLabelled(Resource):
    """Common shape of the kinds whose labels name a channel: of which tenant, which one, in which subset."""

    @property
    def tenant(self) -> str | None:
        return self.metadata.labels.get("tenant")

    @property
    def channel(self) -> str | None:
        return self.metadata.labels.get("channel")

    @property
    def subset(self) -> str:
        """The `subset` label, `stable` when missing."""
        return self.metadata.labels.get("subset", STABLE)


class Channel(ChannelLabelled):
    """A channel of one tenant, and the capabilities that it needs. Tenant, channel, version and subset are labels."""

    KIND: ClassVar[str] = "Channel"

    kind: Literal["Channel"] = "Channel"
    spec: ChannelSpec
    status: ChannelStatus | None = None
