"""What the platform asks an agent, and what the agent answers: the types between `runtime`, `agents` and the wires.

`AgentEvent`s never cross a wire as they are: `protocols/` translates them, the runtime turns them into `TurnEvent`s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lmos.conversation.messages import AnonymizationEntity, KeyValue, Message, User, last_user_text

__all__ = ["AgentEvent", "AgentRequest", "Answer", "Delta", "Intermediate", "ToolCall", "ToolResult"]


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """One question to one agent. `params` is ARC's system context; `messages` is the whole transcript."""

    conversation_id: str
    messages: tuple[Message, ...]
    user: User
    turn_id: str | None = None
    tenant: str | None = None
    channel: str | None = None
    subset: str | None = None
    params: tuple[KeyValue, ...] = ()
    anonymization_entities: tuple[AnonymizationEntity, ...] = ()

    @property
    def query(self) -> str:
        """Text of the newest user message."""
        return last_user_text(self.messages)


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Intermediate:
    """Something said while the agent works; never the answer."""

    content: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The agent calls a tool."""

    id: str
    name: str
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool returned text, or failed with `error`."""

    id: str
    name: str
    result: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The agent's final message: exactly one, last. `status` is ARC's classification."""

    message: Message
    status: str | None = None
    context: tuple[KeyValue, ...] = ()
    anonymization_entities: tuple[AnonymizationEntity, ...] = ()


AgentEvent = Delta | Intermediate | ToolCall | ToolResult | Answer
