"""What faults do to the lines of a watch, and lists from the past. Both fronts use it; it knows no transport."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from lmos.operator.kubernetes.transport import Answer
from tests.operator.faults.plan import Fault, Kind

__all__ = ["Broken", "Item", "Lines", "Recordings", "refusal"]

_ALL_TOLD: Final = b"k8s.io/initial-events-end"
_BOOKMARK: Final = b'{"type":"BOOKMARK"'
_KEPT: Final = 4
"""Lists remembered of each kind."""

_REASONS: Final = {
    403: "Forbidden",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """The connection breaks, after the beginning of a line perhaps."""

    partial: bytes = b""


Item = bytes | Broken | None
"""A line, a break, or the orderly end."""


def refusal(fault: Fault) -> Answer:
    """How an API server refuses."""
    body: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"a fault of the plan: {fault.kind.value}",
        "reason": _REASONS[fault.status],
        "code": fault.status,
    }
    headers = {"content-type": "application/json"}
    if fault.status == 429:
        headers["retry-after"] = f"{fault.seconds:g}"
    return Answer(fault.status, orjson.dumps(body), headers)


class Lines:
    """The lines of one watch on their way through a fault, which calls `came_about` when it strikes."""

    def __init__(self, fault: Fault | None, came_about: Callable[[], None]) -> None:
        self.over = False
        """Whether nothing more goes through."""
        self._kind = None if fault is None else fault.kind
        self._left = 0 if fault is None else fault.lines
        self._came_about = came_about
        self._held: bytes | None = None
        self._earlier: list[bytes] = []

    def through(self, line: bytes) -> Iterator[Item]:
        """What comes out for one line that goes in."""
        if self._kind is Kind.STARVED:
            yield from self._without_bookmark(line)
            return
        if self._left > 0:
            self._left -= 1
            self._earlier.append(line)
            yield line
            return
        match self._kind:
            case Kind.RESET_IN_LINE:
                yield from self._last(Broken(line[: len(line) // 2]))
            case Kind.RESET_STREAM:
                yield from self._last(Broken())
            case Kind.ENDED:
                yield from self._last(line, None)
            case Kind.TRUNCATED_LINE:
                yield from self._last(line[: len(line) // 2], None)
            case Kind.STALL:
                self._came_about()
                self.over = True
            case Kind.EXPIRED:
                gone = refusal(Fault(Kind.EXPIRED, 410)).body
                yield from self._last(b'{"type":"ERROR","object":%b}' % gone, None)
            case Kind.DUPLICATE:
                yield from self._twice(line)
            case Kind.REORDERED:
                yield from self._swapped(line)
            case _:
                yield line

    def rest(self) -> Iterator[Item]:
        """What comes out when the watch ends in an orderly way."""
        if self._held is not None:
            yield self._held
        yield None

    def _last(self, *items: Item) -> Iterator[Item]:
        self._came_about()
        self.over = True
        yield from items

    def _without_bookmark(self, line: bytes) -> Iterator[Item]:
        if line.startswith(_BOOKMARK) and _ALL_TOLD not in line:
            self._came_about()
        else:
            yield line

    def _twice(self, line: bytes) -> Iterator[Item]:
        """This line again after it, and the first one that was told."""
        self._came_about()
        self._kind = None
        yield line
        yield line
        yield from self._earlier[:1]

    def _swapped(self, line: bytes) -> Iterator[Item]:
        """Lines by two, in reverse. What ends a list stays at the end."""
        if _ALL_TOLD in line:
            if self._held is not None:
                yield self._held
                self._held = None
            yield line
        elif self._held is None:
            self._held = line
        else:
            self._came_about()
            yield line
            yield self._held
            self._held = None


class Recordings:
    """Lists as they were told before, to be told again when they are no longer true."""

    def __init__(self) -> None:
        self._streams: dict[str, list[Sequence[bytes]]] = {}
        self._answers: dict[str, list[bytes]] = {}

    def hear(self, path: str, query: Mapping[str, str], told: list[bytes], line: bytes) -> None:
        """Note a line of a streaming list; `told` collects those of this stream."""
        if query.get("sendInitialEvents") != "true" or not _is_open(told):
            return
        told.append(line)
        if _ALL_TOLD in line:
            self._streams.setdefault(path, []).append(tuple(told))
            del self._streams[path][:-_KEPT]

    def lines(self, path: str, query: Mapping[str, str]) -> Sequence[bytes] | None:
        """The oldest streaming list that is known."""
        known = self._streams.get(path) if query.get("sendInitialEvents") == "true" else None
        return known[0] if known else None

    def note(self, path: str, query: Mapping[str, str], body: bytes) -> None:
        """A list in one body."""
        if _is_whole_list(query):
            self._answers.setdefault(path, []).append(body)
            del self._answers[path][:-_KEPT]

    def answer(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """The oldest list in one body that is known."""
        known = self._answers.get(path) if _is_whole_list(query) else None
        return known[0] if known else None


def _is_open(told: Sequence[bytes]) -> bool:
    return not told or _ALL_TOLD not in told[-1]


def _is_whole_list(query: Mapping[str, str]) -> bool:
    return "limit" in query and "continue" not in query
