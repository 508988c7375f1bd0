"""A recorder that tests read."""

from __future__ import annotations

from lmos.operator.recorder import EventType
from lmos.resources.base import Resource

__all__ = ["Recorded"]


class Recorded:
    """Keeps what was recorded: (object, type, reason), and the messages."""

    def __init__(self) -> None:
        self.events: list[tuple[str, EventType, str]] = []
        self.messages: list[str] = []

    def record(self, about: Resource, event_type: EventType, reason: str, action: str, message: str) -> None:
        self.events.append((f"{about.KIND}/{about.metadata.name}", event_type, reason))
        self.messages.append(message)
