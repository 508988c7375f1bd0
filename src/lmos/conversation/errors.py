"""Failures of a turn. Each reaches the caller with a stable `code` and HTTP `status` (the LMOS runtime's table).

TurnError
├── InvalidRequest        400 INVALID_REQUEST
├── AgentNotFound         404 AGENT_NOT_FOUND
│   └── RoutingNotFound   404 AGENT_NOT_FOUND         no ChannelRouting for tenant, channel and subset
├── TurnConflict          409 TURN_CONFLICT           another body under the same turn id
├── AgentFailed           500 AGENT_CLIENT_EXCEPTION  any failure talking to an agent
│   └── TurnTimedOut      500 AGENT_CLIENT_EXCEPTION  the turn's deadline passed
├── TurnCancelled         499 TURN_CANCELLED          the client left; nobody reads this answer
└── PlatformError         500 INTERNAL_SERVER_ERROR   our own fault
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AgentFailed",
    "AgentNotFound",
    "InvalidRequest",
    "PlatformError",
    "RoutingNotFound",
    "TurnCancelled",
    "TurnConflict",
    "TurnError",
    "TurnTimedOut",
    "error_named",
]


class TurnError(Exception):
    """Base of all failures of a turn; `str(error)` is the message for the caller."""

    code: ClassVar[str] = "INTERNAL_SERVER_ERROR"
    status: ClassVar[int] = 500


class InvalidRequest(TurnError):
    """The request cannot be understood."""

    code = "INVALID_REQUEST"
    status = 400


class AgentNotFound(TurnError):
    """The named agent does not serve this channel."""

    code = "AGENT_NOT_FOUND"
    status = 404


class RoutingNotFound(AgentNotFound):
    """No channel of this tenant, name and subset is known."""


class TurnConflict(TurnError):
    """This turn id was already used with another body."""

    code = "TURN_CONFLICT"
    status = 409


class AgentFailed(TurnError):
    """An agent failed, dropped the connection, sent what cannot be read, or never answered.

    Raised by a client of agents, `str(error)` speaks to operators: it may hold addresses and the agent's own words.
    `summary` is what a customer's channel may read of it, said of the agent: "cannot be reached".
    """

    code = "AGENT_CLIENT_EXCEPTION"

    def __init__(self, message: str, *, summary: str = "failed") -> None:
        super().__init__(message)
        self.summary = summary


class TurnTimedOut(AgentFailed):
    """The turn's deadline passed before the agent answered."""


class TurnCancelled(TurnError):
    """Everyone who waited for the turn has left."""

    code = "TURN_CANCELLED"
    status = 499


class PlatformError(TurnError):
    """A fault of the platform itself."""


_BY_CODE: dict[str, type[TurnError]] = {
    c.code: c for c in (PlatformError, InvalidRequest, AgentNotFound, TurnConflict, AgentFailed, TurnCancelled)
}


def error_named(code: str, message: str) -> TurnError:
    """The error that a logged `TurnFailed` stands for; an unknown `code` becomes `PlatformError`."""
    return _BY_CODE.get(code, PlatformError)(message)
