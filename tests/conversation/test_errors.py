"""Codes and statuses of failures, and failures made of logged codes."""

from __future__ import annotations

import pytest

from lmos.conversation.errors import (
    AgentFailed,
    AgentNotFound,
    InvalidRequest,
    PlatformError,
    RoutingNotFound,
    TurnCancelled,
    TurnConflict,
    TurnError,
    TurnTimedOut,
    error_named,
)

TABLE: dict[type[TurnError], tuple[str, int]] = {
    InvalidRequest: ("INVALID_REQUEST", 400),
    AgentNotFound: ("AGENT_NOT_FOUND", 404),
    RoutingNotFound: ("AGENT_NOT_FOUND", 404),
    TurnConflict: ("TURN_CONFLICT", 409),
    AgentFailed: ("AGENT_CLIENT_EXCEPTION", 500),
    TurnTimedOut: ("AGENT_CLIENT_EXCEPTION", 500),
    TurnCancelled: ("TURN_CANCELLED", 499),
    PlatformError: ("INTERNAL_SERVER_ERROR", 500),
}


@pytest.mark.parametrize(("error", "told"), TABLE.items(), ids=[error.__name__ for error in TABLE])
def test_a_failure_has_its_code_and_status_also_when_read_from_the_log(
    error: type[TurnError], told: tuple[str, int]
) -> None:
    again = error_named(error.code, "why")
    assert (error.code, error.status) == (again.code, again.status) == told
    assert str(again) == "why"


def test_an_unknown_code_in_the_log_is_the_platforms_fault() -> None:
    assert isinstance(error_named("OF_A_LATER_VERSION", "why"), PlatformError)
