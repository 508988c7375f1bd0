"""How requests reach an API server: over HTTP, or in process to a simulated one. The seam at which tests inject faults.

`Client` is the only user. A transport sends one request and hands back what came; it retries nothing and reads no body.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from lmos.operator.base import StoreError

__all__ = ["Answer", "Stream", "TooSlow", "Transport", "TransportError", "Unreachable"]


class TransportError(StoreError):
    """The API server was not reached, or the connection broke: whether the request took effect is not known."""


class TooSlow(TransportError):
    """The answer did not come in time."""


class Unreachable(TransportError):
    """No connection came about: the request was not sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response. Header names are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Stream:
    """A response whose body comes line by line, without line ends; a line may be of any length.

    Iterating raises `TransportError` when the connection breaks, also in the middle of a line. For a status of 400 and
    above the lines are those of the error's body.
    """

    status: int
    lines: AsyncIterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Transport(Protocol):
    """Paths begin with `/`; `query` and `body` are sent as they are, `body` as `content_type`."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        """Send one request. Raises `TransportError`."""
        ...

    def stream(self, path: str, *, query: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[Stream]:
        """GET `path` and leave its body to the caller; leaving the context drops the connection."""
        ...

    async def aclose(self) -> None:
        """Drop all connections."""
        ...
