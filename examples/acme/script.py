"""The form of `conversation.yaml`, which the demo plays: what is said or done, and what must come of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Customer", "Do", "Expected", "Say", "Scene", "Script"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Customer(_Strict):
    name: str
    tenant: str


class Expected(_Strict):
    """What must come of a turn. No `agent` means that none may be asked; an unset `tool` is not looked at."""

    outcome: Literal["match", "ambiguous", "out_of_scope"]
    agent: str | None = None
    tool: str | None = None
    status: int = 200
    answer: str


class Say(_Strict):
    """A turn of a customer on a channel."""

    customer: str
    channel: str
    conversation: str
    subset: str | None = None
    say: str
    expect: Expected


class Do(_Strict):
    """Something done to the platform. `channels` are expected statuses, or those that an agent's arrival resolves."""

    do: Literal["get-channels", "start-agent", "stop-agent"]
    agent: str = ""
    channels: dict[str, str] = Field(default_factory=dict[str, str])


class Scene(_Strict):
    title: str
    steps: tuple[Say | Do, ...]


class Script(_Strict):
    """`customers` by their id."""

    customers: dict[str, Customer]
    scenes: tuple[Scene, ...]

    @classmethod
    def read(cls, path: Path) -> Script:
        """Raises `pydantic.ValidationError` naming the step and field that is wrong."""
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
