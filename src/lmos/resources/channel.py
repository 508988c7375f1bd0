"""The `Channel` resource: the capabilities that one tenant's channel needs, and whether they are met."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field

from lmos.resources.agent import STABLE
from lmos.resources.base import Condition, Model, Resource

__all__ = [
    "Channel",
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
    """A capability by name, in a range of versions (npm or Ivy syntax)."""

    id: str = Field(default="", max_length=253)
    name: str = Field(min_length=1, max_length=253)
    version: str = Field(max_length=512)
    strategy: ResolveStrategy = ResolveStrategy.HIGHEST


class NearMiss(Model):
    """An agent that came close to providing an unresolved capability, and why it missed (addition to Eclipse LMOS)."""

    capability: str = Field(max_length=253)
    agent: str = Field(max_length=253)
    provided_version: str = Field(default="", max_length=256)
    reason: str = Field(max_length=64)
    message: str = Field(default="", max_length=4096)


class ChannelSpec(Model):
    required_capabilities: tuple[RequiredCapability, ...] = Field(max_length=1000)


class ChannelStatus(Model):
    """Written by the operator. `near_misses`, `conditions` and `observed_generation` are additions to Eclipse LMOS."""

    resolve_status: ResolveStatus | None = None
    unresolved_required_capabilities: tuple[RequiredCapability, ...] | None = None
    near_misses: tuple[NearMiss, ...] | None = None
    observed_generation: int | None = None
    conditions: tuple[Condition, ...] = ()


class Channel(Resource):
    """Kind `Channel` (`channels.lmos.eclipse`, short `ch`); tenant, channel, version and subset are labels."""

    KIND: ClassVar[str] = "Channel"

    kind: Literal["Channel"] = "Channel"
    spec: ChannelSpec
    status: ChannelStatus | None = None

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
