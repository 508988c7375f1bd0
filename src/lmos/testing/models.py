"""`ScriptedModel`: a model that answers what the test says, and remembers what it was asked.

    model = ScriptedModel(["Hello.", Calls(("bill", {"month": "2026-10"})), "Your bill is 39.95 EUR."])

Answers are given in order; a `Reply` with `when` answers any request whose last user text contains it instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmos.models.base import (
    ModelDelta,
    ModelError,
    ModelEvent,
    ModelMessage,
    ModelToolCall,
    ModelUsage,
    ToolSpec,
)

__all__ = ["Asked", "Calls", "Reply", "ScriptedModel", "streamed"]


@dataclass(frozen=True)
class Calls:
    """An answer that calls tools: `(name, arguments)` each, all in one round, after `text` when there is any."""

    calls: tuple[tuple[str, Mapping[str, Any]], ...]
    text: str = ""

    def __init__(self, *calls: tuple[str, Mapping[str, Any]], text: str = "") -> None:
        object.__setattr__(self, "calls", calls)
        object.__setattr__(self, "text", text)


@dataclass(frozen=True)
class Reply:
    """One answer. Strings stream word by word; `delay` (seconds) passes before the first event.

    With `when`, it answers every request whose newest user text contains `when` (in any case) and is never used up.
    """

    answer: str | Calls | Exception
    when: str | None = None
    delay: float = 0.0


@dataclass(frozen=True)
class Asked:
    """One request as the model got it."""

    messages: tuple[ModelMessage, ...]
    tools: tuple[ToolSpec, ...]
    schema: Mapping[str, Any] | None

    @property
    def query(self) -> str:
        """Text of the newest user message."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def system(self) -> str:
        """The instructions."""
        return "\n\n".join(m.content for m in self.messages if m.role == "system")


class ScriptedModel:
    """A `Model` with fixed answers. `asked` holds the requests in order; `cancelled` counts answers cut short.

    `sleep` waits for a reply's delay: `asyncio.sleep`, which virtual time shortens. A request beyond the script is a
    `ModelError` that shows what was asked.
    """

    def __init__(
        self,
        script: Sequence[str | Calls | Exception | Reply] = (),
        *,
        name: str = "scripted",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        replies = [item if isinstance(item, Reply) else Reply(item) for item in script]
        self._in_order = [reply for reply in replies if reply.when is None]
        self._matching = [reply for reply in replies if reply.when is not None]
        self._name = name
        self._sleep = sleep
        self.asked: list[Asked] = []
        self.cancelled = 0

    @property
    def name(self) -> str:
        return self._name

    async def answer(
        self,
        messages: Sequence[ModelMessage],
        *,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),
    ) -> AsyncIterator[ModelEvent]:
        asked = Asked(tuple(messages), tuple(tools), schema)
        self.asked.append(asked)
        number = len(self.asked)
        reply = self._reply(asked)
        try:
            if reply.delay:
                await self._sleep(reply.delay)
            for event in _events(reply.answer, number):
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    def _reply(self, asked: Asked) -> Reply:
        query = asked.query.lower()
        after_tools = bool(asked.messages) and asked.messages[-1].role == "tool"
        for reply in self._matching:
            # The round after a matched tool call continues with the script, or the model would call it for ever.
            repeats = after_tools and isinstance(reply.answer, Calls)
            if reply.when is not None and reply.when.lower() in query and not repeats:
                return reply
        if not self._in_order:
            raise ModelError(f"the script of model {self._name!r} has no answer to {asked.query!r}")
        return self._in_order.pop(0)


def _events(answer: str | Calls | Exception, number: int) -> list[ModelEvent]:
    if isinstance(answer, Exception):
        raise answer
    text = answer.text if isinstance(answer, Calls) else answer
    events: list[ModelEvent] = [ModelDelta(piece) for piece in streamed(text)]
    if isinstance(answer, Calls):
        events += [
            ModelToolCall(f"call-{number}-{position}", name, arguments)
            for position, (name, arguments) in enumerate(answer.calls)
        ]
    return [*events, ModelUsage(output_tokens=len(text.split()))]


def streamed(text: str) -> list[str]:
    """Pieces that concatenate to `text`, each ending after a space."""
    pieces = text.split(" ")
    return [piece + " " for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])
