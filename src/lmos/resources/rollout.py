"""The `ChannelRollout` resource: weights between a stable channel and its canary."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from lmos.resources.base import Model, Resource

__all__ = ["Canary", "ChannelRollout", "ChannelRolloutSpec", "RolloutStrategy", "WeightedChannel"]


class WeightedChannel(Model):
    """A Channel by name and its share of conversations in percent."""

    name: str = Field(default="", max_length=253)
    weight: int = Field(default=0, ge=0, le=100)


class Canary(Model):
    canary_channel: WeightedChannel | None = None
    stable_channel: WeightedChannel | None = None


class RolloutStrategy(Model):
    canary: Canary | None = None


class ChannelRolloutSpec(Model):
    strategy: RolloutStrategy | None = None


class ChannelRollout(Resource):
    """Kind `ChannelRollout` (`channelrollouts.lmos.eclipse`, short `crl`)."""

    KIND: ClassVar[str] = "ChannelRollout"

    kind: Literal["ChannelRollout"] = "ChannelRollout"
    spec: ChannelRolloutSpec = Field(default_factory=ChannelRolloutSpec)
