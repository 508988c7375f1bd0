"""What models wrap around an answer, and what is read from it."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmos.router.answers import NamedAgent, Unreadable, json_answer, named_agent

RECORDING = Path(__file__).parents[1] / "data" / "jvm_golden" / "router.jsonl.gz"

# Read by us, refused there: a fence without a language.
LENIENT = {"process-531"}
# No member of ours: `agentname` in another case, which the original's parser ignores as well.
WITHOUT_AGENT = {"process-539"}


def recorded(op: str) -> list[Any]:
    with gzip.open(RECORDING, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [pytest.param(row, id=row["request"]["id"]) for row in rows if row["request"]["op"] == op]


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ('{"reason": "bills", "agentId": "billing"}', "billing"),
        ('{"agentName": "billing"}', "billing"),
        ('```json\n{"agentId": "billing"}\n```', "billing"),
        ('```\n{"agentId": "billing"}\n```', "billing"),
        ('```json {"agentId":"billing"}', "billing"),
        ('<answer>{"agentId": "billing"}</answer>', "billing"),
        ('<ANSWER>\n```json\n{"agentId": "billing"}\n```', "billing"),
        ('Let me think. {"topic": "bills"} is it. So: {"agentId": "billing"} I hope that helps.', "billing"),
        ('First {"agentId": "support"}, but no: {"agentId": "billing"}', "billing"),
        ("{agentId: billing}", "billing"),
        ('agentName = "billing"', "billing"),
        ('{"agentId": null}', None),
        ('{"agentId": ""}', None),
        ('{"agentId": "none"}', None),
        ('{"agentId": 1}', "1"),
    ],
)
def test_an_agent_is_read_from_whatever_is_wrapped_around_it(text: str, agent: str | None) -> None:
    assert named_agent(text).agent == agent


@pytest.mark.parametrize("text", ["", "billing", "{}", '{"agentId": ["a"]}', '{"agentId": {"x": 1}}', "[" * 5000])
def test_an_answer_without_one_agent_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        named_agent(text)


def test_the_reason_is_kept_in_bounds() -> None:
    assert named_agent(json.dumps({"reason": "x" * 1000, "agentId": "a"})) == NamedAgent("a", "x" * 300)
    assert named_agent('{"reason": 1, "agentId": "a"}').reason == "1"


@given(st.text())
def test_any_text_is_read_or_unreadable(text: str) -> None:
    with suppress(Unreadable):
        assert "a" in json_answer(text, ("a",))


@pytest.mark.parametrize("row", recorded("process"))
def test_answers_are_extracted_as_the_original_does(row: dict[str, Any]) -> None:
    request, extracted = row["request"], row["answer"]["result"]
    if request["id"] in WITHOUT_AGENT:
        with pytest.raises(Unreadable):
            named_agent(request["text"])
        return
    assert named_agent(request["text"]) == named_agent(extracted)
    assert (request["id"] in LENIENT) == ("```" in extracted)
