"""What can go wrong on a wire, as steps of a script. `FakeOpenAI` and `FakeArcAgent` act them out."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AgentError", "Drop", "Garbage", "HttpError", "Pause", "Silence"]


@dataclass(frozen=True)
class HttpError:
    """An HTTP answer with this status and OpenAI's error body; `retry_after` in seconds sets the header."""

    status: int
    message: str = "scripted error"
    retry_after: float | None = None


@dataclass(frozen=True)
class Garbage:
    """`text` where an answer belongs: not JSON, cut off, or of another shape."""

    text: str = "<html>not an answer</html>"


@dataclass(frozen=True)
class AgentError:
    """The agent reports that it failed."""

    message: str = "scripted error"


@dataclass(frozen=True)
class Drop:
    """The connection ends without a word."""


@dataclass(frozen=True)
class Silence:
    """Nothing comes any more, and the connection stays open."""


@dataclass(frozen=True)
class Pause:
    """Nothing for some seconds of the event loop's time."""

    seconds: float
