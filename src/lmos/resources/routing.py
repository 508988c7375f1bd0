"""The `ChannelRouting` resource: which agents serve a channel. Derived by the operator, read by the runtime."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from lmos.resources.agent import Endpoint
from lmos.resources.base import Example, Model
from lmos.resources.channel import ChannelLabelled
from lmos.resources.rules import RoutingRules

__all__ = ["CapabilityGroup", "ChannelRouting", "ChannelRoutingSpec", "RoutedCapability"]


class RoutedCapability(Model):
    """A required capability and the version of it that the agent provides.

    Examples and endpoint are additions to Eclipse LMOS.
    """

    id: str = Field(default="", max_length=253, description="The provided capability's id.")
    name: str = Field(min_length=1, max_length=253, description="Name of the capability.")
    required_version: str = Field(max_length=512, description="The range that the channel requires.")
    provided_version: str = Field(max_length=256, description="The version that the agent provides.")
    host: str = Field(max_length=2048, description="Where the agent answers: 'host' or 'host:port', without scheme.")
    description: str = Field(default="", max_length=16384, description="What it does, for people and the router.")
    examples: tuple[Example, ...] = Field(
        default=(), max_length=1000, description="Queries as customers put them; the router learns from these."
    )
    endpoint: Endpoint | None = None


class CapabilityGroup(Model):
    """All capabilities that one agent provides to the channel."""

    id: str = Field(default="", max_length=253, description="The Agent's spec.id.")
    name: str = Field(min_length=1, max_length=253, description="The Agent's name.")
    description: str = Field(default="", max_length=16384, description="The Agent's description.")
    capabilities: tuple[RoutedCapability, ...] = Field(max_length=1000, description="What it provides here.")


class ChannelRoutingSpec(Model):
    """Who serves the channel."""

    capability_groups: tuple[CapabilityGroup, ...] = Field(
        default=(), max_length=1000, description="One group for each agent; empty when nothing resolved."
    )
    routing_rules: RoutingRules | None = Field(
        default=None, description="The Channel's rules (addition to Eclipse LMOS)."
    )


class ChannelRouting(ChannelLabelled):
    """Which agents serve a channel. Written by the operator, with the name and labels of its Channel."""

    KIND: ClassVar[str] = "ChannelRouting"

    kind: Literal["ChannelRouting"] = "ChannelRouting"
    spec: ChannelRoutingSpec = Field(default_factory=ChannelRoutingSpec)
