"""Events: what happened to an object, for people who look at it. The contract, and the recorder that keeps silent.

Reconcilers report transitions (a channel became unresolved), never states, so that a quiet system writes no events.
Recording neither waits nor fails: an event is news, not state.
"""

from __future__ import annotations

from typing import Literal, Protocol

from lmos.resources.base import Resource

__all__ = ["EventType", "Recorder", "Silent"]

EventType = Literal["Normal", "Warning"]


class Recorder(Protocol):
    """Takes events and delivers them in its own time, aggregated; what it cannot deliver it drops and counts."""

    def record(self, about: Resource, event_type: EventType, reason: str, action: str, message: str) -> None:
        """Tell that something happened to `about`. `reason` and `action` are CamelCase constants of `reasons.py`."""
        ...


class Silent:
    """For stores without a place for events: the conditions of an object say the same."""

    def record(self, about: Resource, event_type: EventType, reason: str, action: str, message: str) -> None:
        """Nothing."""
