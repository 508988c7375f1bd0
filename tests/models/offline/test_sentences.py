"""What the offline model says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmos.models.base import ModelToolReturn
from lmos.models.offline.parameters import read_parameters
from lmos.models.offline.sentences import Language, answer, language_of, offer, pieces, question


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Your bill is 39.95 EUR.", "Your bill is 39.95 EUR."),
        ("", "Done."),
        ("null", "I found nothing."),
        ("[]", "I found nothing."),
        ("{}", "I found nothing."),
        ("true", "Yes."),
        ("42", "42."),
        (
            {"month": "2026-10", "amount": 39.5, "currency": "EUR", "due_date": "2026-11-14", "paid": False},
            "Month: October 2026, amount: 39.50 EUR, due date: 14 November 2026, paid: no.",
        ),
        ({"total": "12.50", "currency": "EUR"}, "Total: 12.50 EUR."),
        ({"currency": "EUR"}, "Currency: EUR."),
        ({"message": "All is well.", "code": 7}, "All is well. Code: 7."),
        ({"note": None, "state": "open"}, "State: open."),
        ({"address": {"city": "Bonn", "zip_code": "53113"}}, "Address: city Bonn; zip code 53113."),
        ({"day": "2026-13-99"}, "Day: 2026-13-99."),
        ([{"id": 1}], "Id: 1."),
        ([{"id": 1}, {"id": 2}], "I found 2:\n- Id: 1\n- Id: 2"),
        (["a", "b"], "I found 2:\n- A\n- B"),
    ],
)
def test_a_result_becomes_sentences(content: Any, expected: str) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    assert answer([ModelToolReturn("1", "f", text)], "en") == expected


def test_a_failed_tool_is_told_as_a_failure() -> None:
    assert answer([ModelToolReturn("1", "f", "no such bill", is_error=True)], "en") == "That did not work: no such bill"


def test_results_are_told_in_german_to_who_asks_in_german() -> None:
    returned = ModelToolReturn("1", "f", '{"due": "2026-03-05", "paid": true}')
    assert answer([returned], "de") == "Due: 5. März 2026, paid: ja."


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["How much is my bill?"], "en"),
        (["Wie hoch ist meine Rechnung?"], "de"),
        (["Wie hoch ist meine Rechnung?", "Oktober"], "de"),
        (["Wie hoch ist meine Rechnung?", "and the one before it?"], "en"),
        (["123"], "en"),
        ([], "en"),
    ],
)
def test_the_language_is_that_of_the_newest_text_that_tells(texts: list[str], language: Language) -> None:
    assert language_of(texts) == language


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_question_names_the_description_and_the_choices(language: Language) -> None:
    schema = {"properties": {"plan": {"enum": ["S", "M", "L"], "description": "The new plan."}}}
    asked = question(read_parameters(schema)[0], language)
    assert "the new plan" in asked
    assert "S, M" in asked
    assert asked.count("?") == 1


def test_without_tools_the_offer_says_why_there_is_no_answer() -> None:
    assert "no language model is configured" in offer([], "en")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, st.sampled_from(["en", "de"]))
def test_any_json_has_words(value: Any, language: Language) -> None:
    assert answer([ModelToolReturn("1", "f", json.dumps(value))], language)


@given(st.text())
def test_pieces_concatenate_to_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text
