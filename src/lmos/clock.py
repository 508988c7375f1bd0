"""Time and ids as injected values, so that a run can be replayed. Rooms take a `Clock`."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock", "rfc3339"]


class Clock(Protocol):
    """Wall time for records, monotonic seconds for durations, fresh ids."""

    def now(self) -> datetime:
        """The current time, timezone-aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never run backwards."""
        ...

    def new_id(self) -> str:
        """A fresh unique id (UUID text)."""
        ...


class SystemClock:
    """The machine's clock and random UUIDs."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def new_id(self) -> str:
        return str(uuid.uuid4())


def rfc3339(moment: datetime) -> str:
    """`moment` as Kubernetes writes timestamps: seconds, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
