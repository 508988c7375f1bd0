"""The `ChannelRouting` resource: which agents serve a channel. Derived by the operator, read by the runtime."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from lmos.resources.agent import STABLE, Endpoint
from lmos.resources.base import Model, Resource

__all__ = ["CapabilityGroup", "ChannelRouting", "ChannelRoutingSpec", "RoutedCapability"]


class RoutedCapability(Model):
    """A required capability and the version of it that an agent provides.

    `host` has no scheme; it carries a port when the agent declares an endpoint. `examples` and `endpoint` are additions
    to Eclipse LMOS.
    """

    id: str = Field(default="", max_length=253)
    name: str = Field(min_length=1, max_length=253)
    required_version: str = Field(max_length=512)
    provided_version: str = Field(max_length=256)
    host: str = Field(max_length=2048)
    description: str = Field(default="", max_length=16384)
    examples: tuple[str, ...] = Field(default=(), max_length=1000)
    endpoint: Endpoint | None = None


class CapabilityGroup(Model):
    """All capabilities that one agent provides to the channel; `name` is the Agent's name, `id` its `spec.id`."""

    id: str = Field(default="", max_length=253)
    name: str = Field(min_length=1, max_length=253)
    description: str = Field(default="", max_length=16384)
    capabilities: tuple[RoutedCapability, ...] = Field(max_length=1000)


class ChannelRoutingSpec(Model):
    capability_groups: tuple[CapabilityGroup, ...] = Field(default=(), max_length=1000)


class ChannelRouting(Resource):
    """Kind `ChannelRouting` (`channelroutings.lmos.eclipse`, short `cr`); name and labels are those of its Channel."""

    KIND: ClassVar[str] = "ChannelRouting"

    kind: Literal["ChannelRouting"] = "ChannelRouting"
    spec: ChannelRoutingSpec = Field(default_factory=ChannelRoutingSpec)

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
