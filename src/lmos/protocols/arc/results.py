"""What an agent says, as ARC results: `ResultWriter` on the agent's side, `ResultReader` on the asker's.

Deltas and tools have no result type of their own in ARC. They travel as `EVENT` results (no message, context entries
`eventType` and `eventData`), and only when the asker's system context says `enableEventing=true`, since an asker that
does not expect them could take an event for an answer. Tools carry ARC's event names; `TextDelta` is ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, cast

import orjson

from lmos.clock import Clock
from lmos.conversation.errors import AgentFailed
from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer, Delta, Intermediate, ToolCall, ToolResult
from lmos.conversation.messages import KeyValue, Message
from lmos.protocols.arc import types
from lmos.protocols.arc.types import (
    ENABLE_EVENTING,
    AgentResult,
    ResultMessage,
    ToolCallEntry,
)

__all__ = ["ResultReader", "ResultWriter"]

EVENT_TYPE: Final = "eventType"
EVENT_DATA: Final = "eventData"
TEXT_DELTA: Final = "TextDelta"
TOOL_STARTED: Final = "LLMFunctionStartedEvent"
TOOL_CALLED: Final = "LLMFunctionCalledEvent"

# ARC writes its missing classification with `toString()`.
NO_STATUS: Final = "null"


class ResultWriter:
    """Turns one agent's events into results, in order."""

    def __init__(self, clock: Clock, request: AgentRequest) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self._eventing = any(e.key == ENABLE_EVENTING and e.value.lower() == "true" for e in request.params)
        self._calls: dict[str, ToolCall] = {}

    def write(self, event: AgentEvent) -> AgentResult | None:
        """The result for `event`; `None` for what this asker is not told."""
        match event:
            case Intermediate(content):
                return self._result(type=types.INTERMEDIATE_MESSAGE, messages=[ResultMessage(content=content)])
            case Delta(text):
                return self._event(TEXT_DELTA, {"text": text})
            case ToolCall(id, name, arguments):
                self._calls[id] = event
                return self._event(TOOL_STARTED, {"id": id, "name": name, "param": arguments})
            case ToolResult(id, name, result, error):
                call = self._calls.get(id)
                data = {"id": id, "name": name, "param": call.arguments if call else {}, "result": result}
                return self._event(TOOL_CALLED, data if error is None else {**data, "error": error})
            case Answer():
                return self._answer(event)

    def _answer(self, answer: Answer) -> AgentResult:
        message = answer.message
        return self._result(
            type=types.MESSAGE,
            status=answer.status or NO_STATUS,
            messages=[ResultMessage.model_validate(message.model_dump())],
            anonymization_entities=list(answer.anonymization_entities),
            context=list(answer.context),
            tool_calls=[
                ToolCallEntry(name=call.name, arguments=_json(call.arguments)) for call in self._calls.values()
            ],
        )

    def _event(self, name: str, data: dict[str, Any]) -> AgentResult | None:
        if not self._eventing:
            return None
        entries = [KeyValue(key=EVENT_TYPE, value=name), KeyValue(key=EVENT_DATA, value=_json(data))]
        return self._result(type=types.EVENT, context=entries)

    def _result(self, **members: Any) -> AgentResult:
        return AgentResult(response_time=round(self._clock.monotonic() - self._started, 3), **members)


class ResultReader:
    """Turns one agent's results into events. Results come in any order; the answer is known only at the end.

    Agents up to ARC 0.126.0 send no `type`: an intermediate message then shows by neither `status` nor `context`.
    """

    def __init__(self) -> None:
        self._held: AgentResult | None = None
        self._open: dict[str, ToolCall] = {}
        self._calls = 0

    def read(self, result: AgentResult) -> Iterable[AgentEvent]:
        """Events that `result` brings at once. Raises `AgentFailed` for a result of type `ERROR`."""
        match result.type:
            case types.ERROR:
                raise AgentFailed(f"failed: {result.messages[-1].content if result.messages else 'no message'}")
            case types.EVENT:
                return self._read_event(result)
            case types.INTERMEDIATE_MESSAGE:
                return _said(result)
            case types.MESSAGE | None:
                return self._hold(result)
            case _:
                # A type of a later ARC: nothing that this side waits for.
                return ()

    def finish(self) -> Iterable[AgentEvent]:
        """The last events, an `Answer` at their end. Raises `AgentFailed` when there was none."""
        if self._held is None:
            raise AgentFailed("completed without an answer", summary="ended without an answer")
        result = self._held
        if self._calls == 0:
            yield from (self._call(None, entry.name, _object(entry.arguments)) for entry in result.tool_calls or ())
        yield Answer(
            message=_assistant_message(result),
            status=None if result.status == NO_STATUS else result.status,
            context=tuple(result.context or ()),
            anonymization_entities=tuple(result.anonymization_entities or ()),
        )

    def _hold(self, result: AgentResult) -> Iterable[AgentEvent]:
        """Keep the likeliest answer; what loses to it was said on the way."""
        if not result.messages:
            return ()
        if self._held is None:
            self._held = result
            return ()
        if _is_final(self._held) and not _is_final(result):
            return _said(result)
        earlier, self._held = self._held, result
        return _said(earlier)

    def _read_event(self, result: AgentResult) -> Iterable[AgentEvent]:
        entries = {entry.key: entry.value for entry in result.context or ()}
        kind = entries.get(EVENT_TYPE, "")
        if kind not in (TEXT_DELTA, TOOL_STARTED, TOOL_CALLED):
            return ()
        data = _object(entries.get(EVENT_DATA, ""))
        if kind == TEXT_DELTA:
            return (Delta(str(data.get("text", ""))),)
        name, call_id = str(data.get("name", "")), data.get("id")
        if kind == TOOL_STARTED:
            arguments = data.get("param")
            return (
                self._call(call_id, name, cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {}),
            )
        return (self._returned(call_id, name, data),)

    def _call(self, call_id: object, name: str, arguments: dict[str, Any]) -> ToolCall:
        self._calls += 1
        call = ToolCall(
            id=call_id if isinstance(call_id, str) else f"call-{self._calls}", name=name, arguments=arguments
        )
        self._open[call.id] = call
        return call

    def _returned(self, call_id: object, name: str, data: dict[str, Any]) -> ToolResult:
        """ARC's events have no id: the oldest open call of that tool is meant."""
        if not isinstance(call_id, str):
            call_id = next((call.id for call in self._open.values() if call.name == name), f"call-{self._calls}")
        self._open.pop(call_id, None)
        result, error = data.get("result"), data.get("error")
        if isinstance(result, dict):
            outcome = cast("dict[str, Any]", result)
            result, error = outcome.get("value"), outcome.get("reason", error)
        return ToolResult(
            id=call_id, name=name, result=_text(result), error=None if error is None else _text(error) or "failed"
        )


def _is_final(result: AgentResult) -> bool:
    return result.type is not None or result.status is not None or result.context is not None


def _said(result: AgentResult) -> Iterable[AgentEvent]:
    return [Intermediate(message.content) for message in result.messages]


def _assistant_message(result: AgentResult) -> Message:
    """The last message of the assistant; an agent that names another role for its only message still means itself."""
    chosen = next((m for m in reversed(result.messages) if m.role == "assistant"), result.messages[-1])
    return Message(
        role="assistant",
        content=chosen.content,
        format=chosen.format or "text",
        turn_id=chosen.turn_id,
        binary_data=None if chosen.binary_data is None else tuple(chosen.binary_data),
    )


def _object(text: str) -> dict[str, Any]:
    """The JSON object in `text`; anything else is kept under `value`."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = text
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {"value": value}


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    # Not orjson, which refuses the whole numbers beyond 64 bits that a model may well write.
    return json.dumps(value, default=str, ensure_ascii=False)
