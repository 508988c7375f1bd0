"""Questions worded by a model, and how their answers are understood."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lmos.conversation.events import Candidate
from lmos.conversation.messages import Message
from lmos.models.base import ModelError
from lmos.router.base import Classification, ClassificationRequest, Roster
from lmos.router.clarifier import AnsweredClassifier, ModelClarifier, TemplateClarifier
from lmos.testing import ScriptedModel
from tests.router.rosters import ACME

pytestmark = pytest.mark.anyio

QUERY = ClassificationRequest("my contract bill", ACME)
AMBIGUOUS = Classification(
    "ambiguous",
    (),
    (
        Candidate(agent="billing", score=0.5),
        Candidate(agent="contract", score=0.45),
        Candidate(agent="support", score=0.05),
    ),
    0.5,
    "vector",
    "May be either.",
)
TEMPLATE = "I want to be sure that I get this right: is your question about billing or contract?"


def answer(question: str, *, only_confirmation: bool = False) -> str:
    return json.dumps(
        {
            "topics": ["billing", "contract"],
            "reasoning": "both",
            "onlyConfirmation": only_confirmation,
            "confidence": 90,
            "clarificationQuestion": question,
        }
    )


async def test_the_template_asks_without_a_model() -> None:
    assert (await TemplateClarifier().ask(QUERY, AMBIGUOUS)).question == TEMPLATE


async def test_the_model_words_the_question() -> None:
    model = ScriptedModel([answer("Do you mean billing, or the terms of your contract?")])
    asked = await ModelClarifier(model).ask(QUERY, AMBIGUOUS)
    assert asked.question == "Do you mean billing, or the terms of your contract?"
    assert asked.topics == ("billing", "contract")
    assert "Topics: billing, contract, support" in model.asked[0].system
    assert model.asked[0].messages[-1].content == "my contract bill"


@pytest.mark.parametrize(
    "script",
    [
        [ModelError("down")],
        ["nonsense"] * 2,
        [answer("Is it the invoice or the paper?")],
        [answer("Billing, contract.")] * 2,
        [answer("Do you mean billing?")],
        [answer("Do you mean billing or contract? " + "x" * 500 + "?")] * 2,
    ],
    ids=["fault", "unreadable", "names no topic", "no question", "names one topic", "endless"],
)
async def test_the_template_asks_when_the_model_does_not_or_would_not_be_understood(script: list[Any]) -> None:
    assert (await ModelClarifier(ScriptedModel(script)).ask(QUERY, AMBIGUOUS)).question == TEMPLATE


async def test_a_confirmation_is_asked_when_no_agent_has_spoken_yet() -> None:
    script = [answer("Is it about billing?", only_confirmation=True)]
    assert (await ModelClarifier(ScriptedModel(script)).ask(QUERY, AMBIGUOUS)).topics == ("billing",)
    later = replace(QUERY, current_agent="support")
    assert (await ModelClarifier(ScriptedModel(script)).ask(later, AMBIGUOUS)).question == TEMPLATE


class Undecided:
    name = "undecided"

    async def prepare(self, roster: Roster) -> None:
        return None

    async def classify(self, request: ClassificationRequest) -> Classification:
        return AMBIGUOUS


async def reply(question: str, said: str, current: str | None = None) -> tuple[str, ...]:
    history = (Message(role="user", content="my contract bill"), Message(role="assistant", content=question))
    request = ClassificationRequest(said, ACME, history, current_agent=current)
    return (await AnsweredClassifier(Undecided()).classify(request)).agents


OURS = "Do you mean billing, or the terms of your contract?"


@pytest.mark.parametrize(
    ("question", "said", "agents"),
    [
        (TEMPLATE, "the contract", ("contract",)),
        (OURS, "Billing please", ("billing",)),
        (OURS, "the second one", ("contract",)),
        (OURS, "das erste", ("billing",)),
        (OURS, "neither", ()),
        (OURS, "I wanted to ask why the contract costs more than last year", ()),
        ("Is it about billing?", "Yes, exactly", ("billing",)),
        ("Geht es um billing?", "ja genau", ("billing",)),
        ("Is it about billing?", "no", ()),
        ("Your billing and contract data are safe.", "contract", ()),
        ("Anything else?", "yes", ()),
    ],
)
async def test_an_answer_to_our_question_names_the_agent(question: str, said: str, agents: tuple[str, ...]) -> None:
    assert await reply(question, said) == agents


async def test_a_yes_to_an_agents_question_is_no_answer_to_us() -> None:
    assert await reply("Shall I ask billing?", "yes", current="support") == ()


async def test_without_history_everything_is_a_new_message() -> None:
    found = await AnsweredClassifier(Undecided()).classify(ClassificationRequest("billing", ACME))
    assert found is AMBIGUOUS
