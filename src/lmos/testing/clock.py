"""`VirtualClock`: a clock that stands still until the test moves it, and ids that count. For what takes a `Clock`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["VirtualClock"]


class VirtualClock:
    """A `Clock` under the test's control. Ids are UUID-shaped and count up: the first ends in 1.

    It moves nobody who sleeps on the event loop; looptime does that.
    """

    def __init__(self, start: datetime = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            raise ValueError(f"start={start!r} has no time zone; add tzinfo=UTC")
        self._start = start.astimezone(UTC)
        self._elapsed = 0.0
        self._ids = 0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def new_id(self) -> str:
        self._ids += 1
        return f"00000000-0000-4000-8000-{self._ids:012d}"

    def advance(self, seconds: float) -> None:
        """Let time pass. Raises `ValueError` for a negative amount: no clock runs backwards."""
        if seconds < 0:
            raise ValueError(f"seconds={seconds!r} is negative; a clock does not run backwards")
        self._elapsed += seconds
