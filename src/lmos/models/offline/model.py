"""`OfflineModel`: picks a tool, fills its arguments, asks for what is missing, and reads out the result."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from lmos.clock import Clock, SystemClock
from lmos.encoders.base import Encoder, EncoderError
from lmos.encoders.cached import CachedEncoder
from lmos.models.base import ModelDelta, ModelError, ModelEvent, ModelMessage, ModelToolCall, ModelUsage, ToolSpec
from lmos.models.offline.choosing import Tools, know, meaning
from lmos.models.offline.dialogue import Decision, Utterance, decide
from lmos.models.offline.sentences import Language, answer, cancelled, language_of, offer, pieces, question

__all__ = ["OfflineModel"]

_TURNS: Final = 8
_TOOL_SETS: Final = 64
_VECTORS: Final = 2_000


class OfflineModel:
    """A `Model` without a language model: no key, no network, the same answer to the same transcript and day.

    It matches the customer's words to the tools' descriptions and examples with `encoder`, takes arguments out of the
    text by their types (dates and numbers in English and German), asks for one missing argument at a time, and turns
    the tool's result into sentences. It calls one tool a turn, and reads the last eight turns.

    It is for demonstrations, tests and simple desks. It does not understand: instructions (the agent's prompt) do not
    change what it does, it neither reasons over results nor combines tools, and words that no description or example
    resembles reach no tool, which in German means that tools need German examples. `clock` gives today, for "last
    month". A request with `schema` is a `ModelError`: an invented answer would look like a real one.
    """

    def __init__(self, encoder: Encoder, *, clock: Clock | None = None) -> None:
        self._encoder = CachedEncoder(encoder, _VECTORS)
        self._clock = clock or SystemClock()
        self._tools: OrderedDict[str, Tools] = OrderedDict()

    @property
    def name(self) -> str:
        return "offline"

    async def answer(
        self,
        messages: Sequence[ModelMessage],
        *,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),
    ) -> AsyncIterator[ModelEvent]:
        """See `Model.answer`. Tokens are not counted."""
        if schema is not None:
            raise ModelError(
                "the offline model cannot answer in a given schema; configure a language model, e.g. "
                "LMOS_MODEL=openai:gpt-5-mini"
            )
        texts = [message.content for message in messages if message.role == "user"]
        language = language_of(texts)
        if messages and messages[-1].role == "tool":
            text = answer(messages[-1].tool_returns, language)
        elif not tools:
            text = offer(tools, language)
        else:
            decision = await self._decide(messages, tools)
            if decision.tool is not None and decision.missing is None:
                yield ModelToolCall(f"call-{len(messages)}", decision.tool.spec.name, decision.values)
                yield ModelUsage()
                return
            text = _reply(decision, tools, language)
        for piece in pieces(text):
            yield ModelDelta(piece)
        yield ModelUsage()

    async def _decide(self, messages: Sequence[ModelMessage], specs: Sequence[ToolSpec]) -> Decision:
        turns = _turns(messages)[-_TURNS:]
        try:
            tools = await self._known(specs)
            vectors = await self._encoder.encode([meaning(text) for text, _ in turns])
        except EncoderError as error:
            raise ModelError(f"the offline model's encoder failed: {error}") from error
        utterances = [
            Utterance(text, tools.scores(text, vector), before)
            for (text, before), vector in zip(turns, vectors, strict=True)
        ]
        return decide(utterances, tools, self._clock.now().date())

    async def _known(self, specs: Sequence[ToolSpec]) -> Tools:
        key = repr(specs)
        tools = self._tools.get(key)
        if tools is None:
            tools = self._tools[key] = await know(specs, self._encoder)
            if len(self._tools) > _TOOL_SETS:
                self._tools.popitem(last=False)
        else:
            self._tools.move_to_end(key)
        return tools


def _turns(messages: Sequence[ModelMessage]) -> list[tuple[str, str]]:
    """Each user text with what the assistant said just before it."""
    turns: list[tuple[str, str]] = []
    before = ""
    for message in messages:
        if message.role == "user":
            turns.append((message.content, before))
            before = ""
        elif message.role == "assistant":
            before = f"{before}\n{message.content}".strip()
    return turns


def _reply(decision: Decision, tools: Sequence[ToolSpec], language: Language) -> str:
    if decision.cancelled:
        return cancelled(language)
    if decision.missing is not None:
        return question(decision.missing, language)
    return offer(tools, language)
