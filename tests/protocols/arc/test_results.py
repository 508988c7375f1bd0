"""Agent events as ARC results and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lmos.clock import SystemClock
from lmos.conversation.errors import AgentFailed
from lmos.conversation.exchange import AgentEvent, Answer, Delta, Intermediate, ToolCall, ToolResult
from lmos.conversation.messages import AnonymizationEntity, KeyValue
from lmos.protocols.arc.results import ResultReader, ResultWriter
from lmos.protocols.arc.types import AgentResult
from tests.protocols.arc.parts import answer, request

EVENTING = (KeyValue(key="enableEventing", value="true"),)
CALL = ToolCall("c1", "get_bill", {"month": "May"})
RETURNED = ToolResult("c1", "get_bill", "42 EUR")


class StoppedClock(SystemClock):
    """Monotonic time that moves by hand."""

    seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


def write(events: Sequence[AgentEvent], params: tuple[KeyValue, ...] = ()) -> list[AgentResult]:
    writer = ResultWriter(SystemClock(), request(params=params))
    return [result for event in events if (result := writer.write(event)) is not None]


def read(*results: dict[str, Any]) -> list[AgentEvent]:
    reader = ResultReader()
    events = [event for result in results for event in reader.read(AgentResult.model_validate(result))]
    return [*events, *reader.finish()]


def said(text: str, **members: Any) -> dict[str, Any]:
    return {"responseTime": 1.0, "messages": [{"role": "assistant", "content": text, "format": "text"}], **members}


def texts(events: Sequence[AgentEvent]) -> list[str]:
    return [
        e.content if isinstance(e, Intermediate) else e.message.content
        for e in events
        if isinstance(e, Intermediate | Answer)
    ]


def test_an_answer_is_one_message_result_with_tool_calls_and_status() -> None:
    (result,) = write(
        [CALL, RETURNED, answer("42", status="HANDOVER", context=(KeyValue(key="useCase", value="bill"),))]
    )
    wire = result.to_wire()
    assert wire.pop("responseTime") >= 0
    assert wire == {
        "status": "HANDOVER",
        "messages": [
            {"content": "42", "format": "text", "role": "assistant", "turnId": None, "binaryData": None},
        ],
        "anonymizationEntities": [],
        "context": [{"key": "useCase", "value": "bill"}],
        "toolCalls": [{"name": "get_bill", "arguments": '{"month": "May"}'}],
        "type": "MESSAGE",
    }


def test_a_missing_status_is_the_text_null_as_in_arc() -> None:
    assert write([answer("x")])[0].status == "null"


def test_the_response_time_is_in_seconds_since_the_question() -> None:
    clock = StoppedClock()
    writer = ResultWriter(clock, request())
    clock.seconds += 1.25
    result = writer.write(answer("x"))
    assert result is not None
    assert result.response_time == 1.25


def test_deltas_and_tools_stay_away_from_askers_that_did_not_ask_for_events() -> None:
    assert [result.type for result in write([Delta("4"), CALL, RETURNED, Delta("2"), answer("42")])] == ["MESSAGE"]


def test_deltas_and_tools_are_events_for_askers_that_want_them() -> None:
    results = write([Delta("4"), CALL, RETURNED, answer("42")], EVENTING)
    assert [result.type for result in results] == ["EVENT", "EVENT", "EVENT", "MESSAGE"]
    assert all(result.messages == [] for result in results[:3])
    assert [{entry.key: entry.value for entry in result.context or ()}["eventType"] for result in results[:3]] == [
        "TextDelta",
        "LLMFunctionStartedEvent",
        "LLMFunctionCalledEvent",
    ]


def test_every_event_survives_the_wire() -> None:
    events = [
        Intermediate("one moment"),
        Delta("4"),
        CALL,
        RETURNED,
        ToolCall("c2", "pay", {"sum": 2**70}),
        ToolResult("c2", "pay", error="no money"),
        answer(
            "42",
            status="HANDOVER",
            context=(KeyValue(key="a", value="b"),),
            anonymization_entities=(AnonymizationEntity(type="name", value="Ann", replacement="#1"),),
        ),
    ]
    wire = [result.to_wire() for result in write(events, EVENTING)]
    assert read(*wire) == events


def test_tool_calls_of_the_answer_are_told_when_no_event_told_them() -> None:
    wire = write([CALL, RETURNED, answer("42")])[0].to_wire()
    assert read(wire) == [ToolCall("call-1", "get_bill", {"month": "May"}), answer("42")]


def test_events_without_id_find_their_call_by_name() -> None:
    def event(kind: str, data: str) -> dict[str, Any]:
        context = [{"key": "eventType", "value": kind}, {"key": "eventData", "value": data}]
        return {"type": "EVENT", "responseTime": 0, "messages": [], "context": context}

    assert read(
        event("LLMFunctionStartedEvent", '{"name": "a", "param": {"x": 1}}'),
        event("LLMFunctionStartedEvent", '{"name": "b"}'),
        event("LLMFunctionCalledEvent", '{"name": "b", "result": {"value": "done"}}'),
        event("LLMFunctionCalledEvent", '{"name": "a", "result": {"reason": "broken"}}'),
        event("AgentStartedEvent", "not even JSON"),
        said("ok", type="MESSAGE"),
    ) == [
        ToolCall("call-1", "a", {"x": 1}),
        ToolCall("call-2", "b"),
        ToolResult("call-2", "b", "done"),
        ToolResult("call-1", "a", error="broken"),
        answer("ok"),
    ]


@pytest.mark.parametrize(
    "results",
    [
        pytest.param(
            [said("wait", type="INTERMEDIATE_MESSAGE"), said("answer", type="MESSAGE")], id="intermediate first"
        ),
        pytest.param(
            [said("answer", type="MESSAGE"), said("wait", type="INTERMEDIATE_MESSAGE")], id="intermediate last"
        ),
        pytest.param([said("wait"), said("answer", status="null")], id="without type, intermediate first"),
        pytest.param([said("answer", status="null"), said("wait")], id="without type, intermediate last"),
        pytest.param([said("answer", context=[]), said("wait")], id="without type, known by its context"),
        pytest.param([said("wait"), said("answer")], id="without anything, the last one answers"),
        pytest.param([said("wait", type="MESSAGE"), said("answer", type="MESSAGE")], id="two messages, the last one"),
    ],
)
def test_an_intermediate_message_is_never_the_answer(results: list[dict[str, Any]]) -> None:
    events = read(*results)
    assert texts(events) == ["wait", "answer"]
    assert isinstance(events[-1], Answer)


def test_an_error_result_fails_the_turn() -> None:
    with pytest.raises(AgentFailed, match="failed: out of order"):
        read(said("out of order", type="ERROR"))


@pytest.mark.parametrize(
    "results",
    [
        pytest.param([], id="nothing"),
        pytest.param([said("wait", type="INTERMEDIATE_MESSAGE")], id="an intermediate message only"),
        pytest.param([said("", type="MESSAGE", messages=[])], id="a result without messages"),
        pytest.param([said("?", type="SOMETHING_NEW")], id="a type of a later ARC"),
    ],
)
def test_ending_without_an_answer_is_a_failure(results: list[dict[str, Any]]) -> None:
    with pytest.raises(AgentFailed, match="completed without an answer"):
        read(*results)


def test_nulls_for_optional_members_are_read() -> None:
    wire = said("x", type="MESSAGE", context=None, toolCalls=None, anonymizationEntities=None, status=None)
    assert read(wire) == [answer("x")]
