from __future__ import annotations

import pytest

from lmos.conversation.events import Candidate
from lmos.router.base import Classification, Roster, RosterAgent
from lmos.router.clarify import clarification, decline
from lmos.router.language import language_of
from tests.router.rosters import ACME


def ambiguous(*candidates: tuple[str, float]) -> Classification:
    return Classification(
        "ambiguous",
        (),
        tuple(Candidate(agent=a, capability="view", score=s) for a, s in candidates),
        0.5,
        "vector",
        ".",
    )


def test_the_question_names_the_two_topics_in_english() -> None:
    asked = clarification(ambiguous(("billing", 0.5), ("contract", 0.4), ("support", 0.1)), ACME, "my contract bill")
    assert asked.topics == ("billing", "contract")
    assert asked.question.endswith("is your question about billing or contract?")


def test_the_question_is_german_for_a_german_query() -> None:
    asked = clarification(
        ambiguous(("billing-agent", 0.5), ("contract-agent", 0.4)), ACME, "was ist mit meiner Rechnung"
    )
    assert asked.question.endswith("Geht es um billing oder contract?")


def test_a_third_topic_is_named_when_it_is_about_as_likely_as_the_second() -> None:
    asked = clarification(ambiguous(("a", 0.4), ("b", 0.3), ("c", 0.29), ("d", 0.01)), ACME, "hm")
    assert asked.question.endswith("about a, b or c?")


def test_topics_of_one_name_are_told_apart_by_their_capability() -> None:
    asked = clarification(ambiguous(("billing", 0.5), ("billing-agent", 0.4)), ACME, "hm")
    assert asked.topics == ("billing (view)", "billing (view)")[:1] + asked.topics[1:]
    assert "view" in asked.topics[1]


def test_one_candidate_is_nothing_to_ask_about() -> None:
    with pytest.raises(ValueError, match="at least two candidates, this ambiguous has 1"):
        clarification(ambiguous(("billing", 0.5)), ACME, "hm")


def test_a_decline_says_what_the_channel_can_do() -> None:
    assert decline(ACME, "what's the weather on Mars").endswith("billing, contract and support.")


def test_a_decline_is_german_for_a_german_query() -> None:
    assert decline(ACME, "wie wird das Wetter auf dem Mars").endswith("billing, contract und support.")


def test_a_decline_without_agents_promises_nothing() -> None:
    assert "nobody can help" in decline(Roster(()), "hello")


def test_a_decline_of_many_agents_stays_short() -> None:
    roster = Roster(tuple(RosterAgent(f"agent{n:02}") for n in range(40)))
    assert len(decline(roster, "hello")) < 200


LANGUAGES = {
    "english question": ("how much is my bill", "en"),
    "german question": ("wie hoch ist meine Rechnung", "de"),
    "german by its letters": ("Störung", "de"),
    "a name in both": ("router", "en"),
    "empty": ("", "en"),
    "german with an english word": ("ich möchte ein Upgrade für mein Handy", "de"),
}


@pytest.mark.parametrize(("text", "language"), LANGUAGES.values(), ids=LANGUAGES.keys())
def test_the_language_is_that_of_most_function_words(text: str, language: str) -> None:
    assert language_of(text) == language
