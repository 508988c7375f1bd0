"""The ports of a turn: `TurnLog` (what happened) and `AgentClient` (who is asked).

The tenant is part of every key; there is no call that can forget it.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from lmos.conversation.events import TurnEvent, TurnStarted
from lmos.conversation.exchange import AgentEvent, AgentRequest
from lmos.conversation.turn import TurnKey
from lmos.resources.agent import Endpoint

__all__ = [
    "AgentAddress",
    "AgentClient",
    "Begun",
    "Known",
    "LookUp",
    "TurnLog",
    "TurnLogError",
    "TurnState",
    "TurnSummary",
]

TurnState = Literal["running", "completed", "failed"]


@dataclass(frozen=True, slots=True)
class AgentAddress:
    """Where an agent of a ChannelRouting answers. `endpoint` wins over `host`; a bare host means ARC on port 8080."""

    agent: str
    host: str
    endpoint: Endpoint | None = None
    version: str | None = None
    subset: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """What `TurnLog.claim` found.

    `started`: this caller runs the turn; its events continue at `next_seq`, as attempt `attempt`.
    `completed`: the turn is done; read it. `conflict`: the turn id was used with another fingerprint.
    """

    state: Literal["started", "completed", "conflict"]
    attempt: int = 1
    next_seq: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """A turn that is in the log. A state `running` that nobody runs is an interrupted turn."""

    fingerprint: str
    state: TurnState
    attempt: int
    next_seq: int


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """One turn of a conversation in the log, for history and the next turn's routing.

    `outcome` is that of `TurnCompleted`; with several agents, `agent` and `answer` are those of the last that answered.
    """

    turn: str
    state: TurnState
    agent: str | None
    query: str
    answer: str | None
    capability: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class LookUp:
    """`known` is `None` for a new turn; `earlier` are the conversation's other turns, oldest first."""

    known: Known | None
    earlier: tuple[TurnSummary, ...]


class TurnLogError(Exception):
    """Events do not fit the turn: out of order, after its end, or before `claim`. A fault of the caller."""


class TurnLog(Protocol):
    """Append-only record of turns. What `append` returned from survives a crash of process and machine.

    Raises `TurnLogError` for events that do not fit; a fault of the storage comes as the storage's own error.
    """

    async def look_up(self, key: TurnKey, history: int) -> LookUp:
        """What the log knows before the turn runs: the turn itself, and the newest `history` turns before it."""
        ...

    def claim(self, key: TurnKey, fingerprint: str, started: TurnStarted) -> Future[Begun]:
        """Claim a turn and append `started` (with seq and attempt filled in), atomically; keeps order with `submit`.

        A new, failed or interrupted turn is `started`; of a completed or conflicting one nothing is written. The
        future is done once the claim is durable. The caller guarantees that it does not run the same key twice at once.
        """
        ...

    async def append(self, key: TurnKey, events: Sequence[TurnEvent]) -> None:
        """Append events that carry consecutive `seq`. `TurnCompleted` or `TurnFailed` ends the attempt."""
        ...

    def submit(self, key: TurnKey, events: Sequence[TurnEvent]) -> Future[None]:
        """`append` without waiting: the future is done once the events are durable. Order of submission is kept."""
        ...

    async def read(self, key: TurnKey, after: int = -1) -> list[TurnEvent]:
        """Events of the turn with `seq > after`, in order; empty for an unknown turn."""
        ...

    async def conversation(self, tenant: str, conversation: str, limit: int = 50) -> list[TurnSummary]:
        """The newest `limit` turns of a conversation, oldest first."""
        ...


class AgentClient(Protocol):
    """Asks an agent over one protocol."""

    def ask(self, address: AgentAddress, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        """Events of the agent, the last an `Answer`. Raises `AgentFailed`; closing it cancels the work."""
        ...

    async def aclose(self) -> None:
        """Close kept connections."""
        ...
