"""What goes wrong between an operator and its API server: kinds of faults, and a plan that chooses among them.

Two fronts act it out: `front.py` in process, in virtual time, and `proxy.py` on loopback before a real API server. The
plan is a function of a seed and the number of the request, so that a schedule can be told again, and of each fault one
can ask whether it matters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

__all__ = ["Fault", "Kind", "Plan"]


class Kind(StrEnum):
    """A name for each kind of fault, as results count them."""

    CONFLICT = "409"
    GONE = "410"
    TOO_MANY = "429"
    SERVER_ERROR = "5xx"
    FORBIDDEN = "403"
    UNREACHABLE = "unreachable"
    RESET_BEFORE = "reset before the request took effect"
    LOST_ANSWER = "answer lost after the request took effect"
    FAILED_AFTER = "5xx after the request took effect"
    TRUNCATED_ANSWER = "truncated answer"
    HANG = "no answer"
    LATENCY = "latency"
    STALE_LIST = "stale list"
    RESET_IN_LINE = "reset in the middle of a line"
    RESET_STREAM = "watch reset"
    ENDED = "watch ended"
    TRUNCATED_LINE = "truncated JSON"
    STALL = "watch stalled"
    STARVED = "no bookmarks"
    DUPLICATE = "event told twice"
    REORDERED = "events in another order"
    EXPIRED = "410 in a watch"
    # What happens to servers and processes; schedules order these.
    COMPACTION = "compaction"
    RESTART = "API server restarted"
    CUT = "network cut for a while"
    CRD_GONE = "CRD deleted and created again"
    RIGHTS_LOST = "rights revoked for a while"
    TWO_LEADERS = "two operators stand for election"
    PAUSED = "SIGSTOP"
    KILLED = "kill -9"
    STOPPED = "SIGTERM"


_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})

_OF_ALL: Final = (
    Kind.TOO_MANY,
    Kind.SERVER_ERROR,
    Kind.FORBIDDEN,
    Kind.UNREACHABLE,
    Kind.RESET_BEFORE,
    Kind.LATENCY,
    Kind.HANG,
)
_OF_ANSWERS: Final = (Kind.LOST_ANSWER, Kind.TRUNCATED_ANSWER)
_OF_WRITES: Final = (*_OF_ALL, *_OF_ANSWERS, Kind.CONFLICT, Kind.FAILED_AFTER, Kind.LOST_ANSWER)
_OF_READS: Final = (*_OF_ALL, *_OF_ANSWERS)
_OF_LISTS: Final = (*_OF_ALL, Kind.GONE, Kind.STALE_LIST, Kind.STALE_LIST)
_OF_STREAMS: Final = (
    Kind.RESET_IN_LINE,
    Kind.RESET_STREAM,
    Kind.ENDED,
    Kind.TRUNCATED_LINE,
    Kind.STALL,
    Kind.STARVED,
    Kind.DUPLICATE,
    Kind.REORDERED,
    Kind.EXPIRED,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one request. What it does not need is 0."""

    kind: Kind
    status: int = 0
    seconds: float = 0.0
    """Of waiting: before the answer, or in `Retry-After`."""
    lines: int = 0
    """So many lines of a stream pass before it."""

    def __str__(self) -> str:
        more = [f"{self.status}"] if self.status else []
        more += [f"{self.seconds:g} s"] if self.seconds else []
        more += [f"after {self.lines} lines"] if self.lines else []
        return f"{self.kind.value}{' (' + ', '.join(more) + ')' if more else ''}"


class Plan:
    """A fault for some of the requests while `active`. `counts` says how many of each kind have come about.

    `requests` and `streams` are the shares of those with a fault. Requests whose number is in `muted` have none.
    """

    def __init__(
        self, seed: int, *, requests: float = 0.12, streams: float = 0.6, muted: Collection[int] = frozenset()
    ) -> None:
        self.active = True
        self.counts: Counter[Kind] = Counter()
        self.told: dict[int, str] = {}
        """By number of the request: what was done to which."""
        self._seed = seed
        self._shares = requests, streams
        self._muted = muted
        self._number = 0

    def fault_of(self, method: str, path: str, query: Mapping[str, str]) -> tuple[Random, Fault | None]:
        """The fault of the next request, and where to take its other chances from."""
        self._number += 1
        rng = Random(self._seed * 1_000_003 + self._number)
        if not self.active or self._number in self._muted:
            return rng, None
        streams = query.get("watch") == "true"
        lists = query.get("sendInitialEvents") == "true" or "limit" in query
        at_opening = rng.random() < self._shares[0]
        if at_opening:
            fault = _fault(rng, _OF_LISTS if lists or streams else _OF_WRITES if method in _WRITES else _OF_READS)
        elif streams and rng.random() < self._shares[1]:
            fault = _fault(rng, _OF_STREAMS)
        else:
            return rng, None
        self.told[self._number] = f"{method} {path}{' (watch)' if streams and not lists else ''}: {fault}"
        return rng, fault

    def came_about(self, kind: Kind) -> None:
        """Count it."""
        self.counts[kind] += 1


def _fault(rng: Random, kinds: tuple[Kind, ...]) -> Fault:
    kind = rng.choice(kinds)
    match kind:
        case Kind.TOO_MANY:
            return Fault(kind, 429, float(rng.choice((0, 1, 3, 10))))
        case Kind.SERVER_ERROR | Kind.FAILED_AFTER:
            return Fault(kind, rng.choice((500, 503, 504)))
        case Kind.CONFLICT | Kind.GONE | Kind.FORBIDDEN:
            return Fault(kind, int(kind.value))
        case Kind.LATENCY:
            return Fault(kind, seconds=rng.choice((0.5, 2.0, 8.0, 25.0)))
        case _ if kind in _OF_STREAMS:
            return Fault(kind, lines=rng.choice((0, 0, 1, 2, 4)))
        case _:
            return Fault(kind)
