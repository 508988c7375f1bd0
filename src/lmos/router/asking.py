"""Asks a language model one question for the router: in time, again where that helps, and with a readable answer.

`llm`, `hybrid` and `clarifier` use it. It knows no agents.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from lmos.conversation.messages import Message
from lmos.models.base import MalformedAnswer, Model, ModelDelta, ModelError, ModelMessage
from lmos.router.answers import Unreadable
from lmos.router.base import ClassifierError
from lmos.router.roster_text import tokens
from lmos.router.text import MAX_CHARACTERS

__all__ = ["Limits", "ModelUnavailable", "ask", "conversation"]

T = TypeVar("T")

_LONGEST_ANSWER: Final = 20_000
_PAUSE: Final = 0.2
"""Seconds before the model is asked again."""


class ModelUnavailable(ClassifierError):
    """The model did not answer, not in time, or nothing that can be read. The message names it and the cause."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may take: seconds for all attempts together, attempts, tokens of the whole prompt."""

    timeout: float = 10.0
    attempts: int = 2
    tokens: int = 16000

    def __post_init__(self) -> None:
        for name in ("timeout", "attempts", "tokens"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)!r}: give more than 0")


async def ask(
    model: Model,
    messages: Sequence[ModelMessage],
    read: Callable[[str], T],
    *,
    schema: Mapping[str, Any],
    limits: Limits,
) -> T:
    """What `read` makes of the model's answer. Raises `ModelUnavailable`.

    `read` raises `Unreadable`; it is also given answers that do not fit `schema`. An answer that cannot be read, and a
    fault that may pass, are tried again.
    """
    try:
        async with asyncio.timeout(limits.timeout):
            return await _attempts(model, messages, read, schema, limits.attempts)
    except TimeoutError as error:
        raise ModelUnavailable(f"Model {model.name!r} did not answer within {limits.timeout:g} s") from error


async def _attempts(
    model: Model, messages: Sequence[ModelMessage], read: Callable[[str], T], schema: Mapping[str, Any], attempts: int
) -> T:
    for attempt in range(1, attempts + 1):
        try:
            return read(await _text(model, messages, schema))
        except Unreadable as error:
            fault, final = ModelUnavailable(f"The answer of model {model.name!r} cannot be read: {error}"), False
        except ModelError as error:
            fault, final = ModelUnavailable(str(error)), not error.retryable
        if final or attempt == attempts:
            raise fault
        await asyncio.sleep(_PAUSE)
    raise AssertionError("unreachable: there is at least one attempt")


async def _text(model: Model, messages: Sequence[ModelMessage], schema: Mapping[str, Any]) -> str:
    pieces: list[str] = []
    length = 0
    answer = model.answer(messages, schema=schema)
    try:
        # Models are generators; closing one cancels its request.
        async with aclosing(cast("AsyncGenerator[object, None]", answer)) as events:
            async for event in events:
                if isinstance(event, ModelDelta):
                    pieces.append(event.text)
                    length += len(event.text)
                if length > _LONGEST_ANSWER:
                    break
    except MalformedAnswer as error:
        return error.text
    return "".join(pieces)


def conversation(query: str, history: Sequence[Message], budget: int) -> list[ModelMessage]:
    """The newest message and as much of what was said before it as fits into `budget` tokens, oldest first.

    The query is always there, cut to the length that the router reads.
    """
    query = query[:MAX_CHARACTERS]
    left = budget - tokens(query)
    kept: list[ModelMessage] = []
    for message in reversed(history):
        left -= tokens(message.content)
        if left < 0:
            break
        kept.append(ModelMessage(message.role, message.content))
    return [*reversed(kept), ModelMessage("user", query)]
