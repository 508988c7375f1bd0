"""The `ChannelRollout` resource: weights between a stable channel and its canary."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from lmos.resources.base import Model, Resource

__all__ = ["Canary", "ChannelRollout", "ChannelRolloutSpec", "RolloutStrategy", "WeightedChannel"]


class WeightedChannel(Model):
    """A Channel by name and its share of conversations in percent."""

    name: str = Field(default="", max_length=253, description="Name of the Channel.")
    weight: int = Field(default=0, ge=0, le=100, description="Its share of conversations, in percent.")


class Canary(Model):
    """A part of the conversations goes to another Channel."""

    canary_channel: WeightedChannel | None = Field(default=None, description="The Channel on trial.")
    stable_channel: WeightedChannel | None = Field(default=None, description="The Channel that it may replace.")


class RolloutStrategy(Model):
    """How conversations are shared out."""

    canary: Canary | None = None


class ChannelRolloutSpec(Model):
    """What is rolled out, and how."""

    strategy: RolloutStrategy | None = None


class ChannelRollout(Resource):
    """Shares the conversations of a channel between a stable Channel and its canary."""

    KIND: ClassVar[str] = "ChannelRollout"

    kind: Literal["ChannelRollout"] = "ChannelRollout"
    spec: ChannelRolloutSpec = Field(default_factory=ChannelRolloutSpec)
