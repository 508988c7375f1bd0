"""When each agent is to be asked: at once for what is new, after a growing pause where it failed, now and then else.

The Agent controller asks it before each fetch. An agent is reconciled whenever something around it changes, which may
be many times a minute; what its server is asked depends on this table alone. Times are the event loop's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import uniform
from typing import Final

from lmos.operator.cache import Name
from lmos.operator.discovery.base import Finding, Target

__all__ = ["BASE_DELAY", "MAX_DELAY", "REFRESH", "REPAIR_DELAY", "Timetable"]

BASE_DELAY: Final = 1.0
MAX_DELAY: Final = 300.0
REFRESH: Final = (600.0, 1200.0)
"""Seconds after which a document is read again although nothing around it has changed; by chance, so that a thousand
agents are not asked at once."""
REPAIR_DELAY: Final = 10.0
"""Seconds between two questions whose answer only puts right what somebody else has written over it."""

_RESOLUTION: Final = 0.01


@dataclass(frozen=True, slots=True)
class _Entry:
    target: Target
    asked: float
    due: float
    fault: Finding | None = None
    failures: int = 0


class Timetable:
    """What came of the newest question to each agent, and when to ask again."""

    def __init__(self) -> None:
        self._entries: dict[Name, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def wait(self, name: Name, target: Target) -> float:
        """Seconds until the agent is to be asked; 0 for now, as for a target that is new."""
        entry = self._of(name, target)
        return _until(entry.due) if entry is not None else 0.0

    def fault(self, name: Name, target: Target) -> Finding | None:
        """Why the last question to this target was in vain; `None` when it was not, or when there was none."""
        entry = self._of(name, target)
        return entry.fault if entry is not None else None

    def holds(self, name: Name, target: Target) -> bool:
        """Whether the target has answered, so recently that there is no need to ask again."""
        return self.wait(name, target) > 0 and self.fault(name, target) is None

    def answered(self, name: Name, target: Target) -> None:
        """What the target has answered, now or to an operator before this one, is kept; ask again in a while."""
        now, rest = _now(), uniform(*REFRESH)  # noqa: S311 - spreads load, guards nothing
        self._entries[name] = _Entry(target, now, now + rest)

    def known(self, name: Name, target: Target) -> None:
        """As `answered`, unless there is an entry for this target already."""
        if self._of(name, target) is None:
            self.answered(name, target)

    def failed(self, name: Name, target: Target, fault: Finding) -> None:
        """Asking the target was in vain; the pause doubles with each failure in a row."""
        entry = self._of(name, target)
        failures = entry.failures if entry is not None else 0
        delay = min(MAX_DELAY, BASE_DELAY * 2.0 ** min(failures, 64))
        self._entries[name] = _Entry(target, _now(), _now() + delay, fault, failures + 1)

    def repair(self, name: Name) -> float:
        """Seconds until the agent may be asked again because its answer was written over."""
        entry = self._entries.get(name)
        return _until(entry.asked + REPAIR_DELAY) if entry is not None else 0.0

    def forget(self, name: Name) -> None:
        """Nobody wants to know any more what the agent can do."""
        self._entries.pop(name, None)

    def _of(self, name: Name, target: Target) -> _Entry | None:
        entry = self._entries.get(name)
        return entry if entry is not None and entry.target == target else None


def _until(moment: float) -> float:
    """Seconds from now; 0 also for a moment that is so near that an alarm for it may ring before it."""
    seconds = moment - _now()
    return seconds if seconds > _RESOLUTION else 0.0


def _now() -> float:
    return asyncio.get_running_loop().time()
