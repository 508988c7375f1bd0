"""`TurnEvent`: the closed union of what happens in a turn.

The runtime appends each event to the turn log before any surface shows it. REST, SSE, GraphQL and the console are
projections of this stream and have no logic of their own. On the wire an event is one JSON object with `type`, `seq`
(0, 1, 2 ... within the turn, over all attempts) and `at` (RFC 3339, UTC).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from lmos.conversation.messages import AnonymizationEntity, KeyValue, Message, WireModel

__all__ = [
    "AgentCalled",
    "Candidate",
    "ClarificationAsked",
    "IntermediateMessage",
    "MessageCompleted",
    "Outcome",
    "RouteDecided",
    "TextDelta",
    "ToolCalled",
    "ToolReturned",
    "TurnCompleted",
    "TurnEvent",
    "TurnFailed",
    "TurnOutcome",
    "TurnStarted",
    "event_adapter",
]

Outcome = Literal["match", "ambiguous", "out_of_scope"]
TurnOutcome = Literal["answered", "clarified", "declined"]


class _Event(WireModel):
    seq: int = -1
    at: datetime | None = None


class Candidate(WireModel):
    """An agent that the router considered: its best capability, a score in 0..1 and the examples that speak for it."""

    agent: str
    capability: str | None = None
    score: float
    examples: tuple[str, ...] = ()


class TurnStarted(_Event):
    """The turn was accepted. `attempt` counts from 1; a higher one follows a failed or interrupted attempt."""

    type: Literal["TurnStarted"] = "TurnStarted"
    attempt: int = 1
    channel: str
    subset: str | None = None
    user_id: str
    message: Message
    explicit_agent: str | None = None


class RouteDecided(_Event):
    """What the router decided and why. `agents` is empty unless `outcome` is `match`."""

    type: Literal["RouteDecided"] = "RouteDecided"
    outcome: Outcome
    agents: tuple[str, ...] = ()
    capability: str | None = None
    confidence: float
    strategy: str
    reason: str
    candidates: tuple[Candidate, ...] = ()
    channel_routing: str | None = None


class ClarificationAsked(_Event):
    """The router was unsure between topics; the platform asks instead of guessing."""

    type: Literal["ClarificationAsked"] = "ClarificationAsked"
    question: str
    topics: tuple[str, ...] = ()


class AgentCalled(_Event):
    """A request left for an agent. `protocol` is arc, a2a or local; `address` is empty for local agents."""

    type: Literal["AgentCalled"] = "AgentCalled"
    agent: str
    protocol: str
    address: str = ""
    version: str | None = None


class TextDelta(_Event):
    """A piece of the answer as it is written; pieces concatenate to the text of `MessageCompleted`."""

    type: Literal["TextDelta"] = "TextDelta"
    agent: str
    text: str


class IntermediateMessage(_Event):
    """Something an agent says while it works. Never the answer."""

    type: Literal["IntermediateMessage"] = "IntermediateMessage"
    agent: str
    content: str


class ToolCalled(_Event):
    """An agent called a tool."""

    type: Literal["ToolCalled"] = "ToolCalled"
    agent: str
    call_id: str
    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])


class ToolReturned(_Event):
    """A tool answered; `error` is set when it failed."""

    type: Literal["ToolReturned"] = "ToolReturned"
    agent: str
    call_id: str
    tool: str
    result: str = ""
    error: str | None = None


class MessageCompleted(_Event):
    """The whole answer. `agent` is `None` when the platform itself speaks (clarification, decline)."""

    type: Literal["MessageCompleted"] = "MessageCompleted"
    agent: str | None = None
    message: Message
    status: str | None = None
    context: tuple[KeyValue, ...] = ()
    anonymization_entities: tuple[AnonymizationEntity, ...] = ()


class TurnCompleted(_Event):
    """The turn ended well. `duration` is in seconds."""

    type: Literal["TurnCompleted"] = "TurnCompleted"
    outcome: TurnOutcome
    duration: float


class TurnFailed(_Event):
    """The turn ended with an error; `code` is one of `lmos.conversation.errors`. The turn id may be posted again."""

    type: Literal["TurnFailed"] = "TurnFailed"
    code: str
    message: str
    duration: float


TurnEvent = Annotated[
    TurnStarted
    | RouteDecided
    | ClarificationAsked
    | AgentCalled
    | TextDelta
    | IntermediateMessage
    | ToolCalled
    | ToolReturned
    | MessageCompleted
    | TurnCompleted
    | TurnFailed,
    Field(discriminator="type"),
]

event_adapter: TypeAdapter[TurnEvent] = TypeAdapter(TurnEvent)
