"""The first agent that somebody writes, with three examples, and people who ask it for anything."""

from __future__ import annotations

import pytest

from lmos.encoders.registry import encoder_named
from lmos.router.background import BACKGROUND, background_folds
from lmos.router.base import ClassificationRequest, Roster, RosterAgent, RosterCapability
from lmos.router.vector import VectorClassifier

pytestmark = pytest.mark.anyio

FIRST = Roster(
    (
        RosterAgent(
            "billing",
            description="Answers questions about bills",
            capabilities=(
                RosterCapability(
                    "view-bill", examples=("How much is my bill?", "Show my October bill", "My last invoice")
                ),
            ),
        ),
    )
)
WEATHER = Roster(
    (
        RosterAgent(
            "weather",
            description="Tells the weather",
            capabilities=(
                RosterCapability(
                    "forecast", examples=("What is the weather today?", "Will it rain tomorrow?", "Is it cold outside?")
                ),
            ),
        ),
    )
)


@pytest.fixture(params=[("static",), ("onnx",), ("static", "onnx")], ids="+".join, scope="module")
def classifier(request: pytest.FixtureRequest) -> VectorClassifier:
    return VectorClassifier(*(encoder_named(name) for name in request.param))


STRANGERS = (
    "hello",
    "thank you",
    "tell me a joke",
    "I want to talk to a human",
    "What is the weather on Mars?",
    "What will the weather be tomorrow?",
    "Who won the football match yesterday evening?",
    "how much does a flight to Rome cost",
    "my dog is sick",
    "Wer hat gestern gewonnen?",
)


@pytest.mark.parametrize("query", STRANGERS)
async def test_an_agent_with_three_examples_declines_strangers(classifier: VectorClassifier, query: str) -> None:
    assert (await classifier.classify(ClassificationRequest(query, FIRST))).outcome == "out_of_scope"


@pytest.mark.parametrize(
    "query", ["why is my bill so high", "send me my invoice of March", "I want to see my last bill"]
)
async def test_an_agent_with_three_examples_takes_its_own(classifier: VectorClassifier, query: str) -> None:
    assert (await classifier.classify(ClassificationRequest(query, FIRST))).agents == ("billing",)


@pytest.mark.parametrize("query", ["what's the weather like", "does it rain today", "how cold is it outside"])
async def test_what_is_foreign_elsewhere_is_not_where_an_agent_is_about_it(
    classifier: VectorClassifier, query: str
) -> None:
    assert (await classifier.classify(ClassificationRequest(query, WEATHER))).agents == ("weather",)


async def test_background_texts_that_resemble_the_roster_are_left_out(classifier: VectorClassifier) -> None:
    lesson = await classifier.cascade.learner.settled(WEATHER)
    rows: list[int] = lesson.background.tolist()
    used = {BACKGROUND[row] for row in rows}
    assert "will it rain tomorrow afternoon" not in used
    assert "give me a recipe for lemon cake" in used


async def test_a_background_text_is_never_a_candidate(classifier: VectorClassifier) -> None:
    found = await classifier.classify(ClassificationRequest(BACKGROUND[0], FIRST))
    assert [candidate.agent for candidate in found.candidates] == ["billing"]


def test_background_texts_are_spread_over_folds() -> None:
    assert set(background_folds(5).tolist()) == {0, 1, 2, 3, 4}
    assert len(set(BACKGROUND)) == len(BACKGROUND)
