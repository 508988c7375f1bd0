"""Conversations, and messages with more than one wish."""

from __future__ import annotations

import pytest

from lmos.conversation.messages import Message
from lmos.encoders.registry import encoder_named
from lmos.router.base import ClassificationRequest, Classifier
from lmos.router.clarify import clarification
from lmos.router.classifier import default_classifier
from lmos.router.split import parts_of
from tests.router.rosters import ACME

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return default_classifier(encoder_named("static"))


async def ask(classifier: Classifier, reply: str) -> tuple[str, tuple[str, ...]]:
    """What `reply` means after the platform has asked about "my contract bill"."""
    first = await classifier.classify(ClassificationRequest("my contract bill", ACME))
    question = clarification(first, ACME, "my contract bill").question
    history = (Message(role="user", content="my contract bill"), Message(role="assistant", content=question))
    found = await classifier.classify(ClassificationRequest(reply, ACME, history))
    return found.outcome, found.agents


ANSWERS = {
    "the topic": ("billing", "billing"),
    "the topic in a phrase": ("the contract, please", "contract"),
    "first": ("the first one", "billing"),
    "second": ("the second", "contract"),
    "german": ("das zweite", "contract"),
}


@pytest.mark.parametrize(("reply", "agent"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_the_answer_to_our_question_is_understood(classifier: Classifier, reply: str, agent: str) -> None:
    assert await ask(classifier, reply) == ("match", (agent,))


async def test_another_question_instead_of_an_answer_is_judged_anew(classifier: Classifier) -> None:
    assert await ask(classifier, "my internet is down") == ("match", ("support",))


async def test_a_topic_word_after_another_message_is_no_answer(classifier: Classifier) -> None:
    history = (Message(role="assistant", content="Your ticket is open. Anything else?"),)
    found = await classifier.classify(ClassificationRequest("the second", ACME, history))
    assert found.outcome != "match"


WISHES = {
    "and": ("show my last invoice and my internet is down", {"billing", "support"}),
    "two sentences": ("Cancel my contract. I have no signal on my phone.", {"contract", "support"}),
}


@pytest.mark.parametrize(("query", "agents"), WISHES.values(), ids=WISHES.keys())
async def test_two_wishes_go_to_two_agents(classifier: Classifier, query: str, agents: set[str]) -> None:
    found = await classifier.classify(ClassificationRequest(query, ACME))
    assert set(found.agents) == agents
    assert [c.agent for c in found.candidates[:2]] != [c.agent for c in found.candidates[1:3]]


async def test_two_sentences_about_one_topic_are_one_wish(classifier: Classifier) -> None:
    query = "I want to cancel my contract. When does my contract end?"
    assert (await classifier.classify(ClassificationRequest(query, ACME))).agents == ("contract",)


NO_PARTS = {
    "one wish": "show my last invoice",
    "a pair of words": "my phone and internet are slow",
    "too many": "a b c, d e f, g h i, pay the bill, end the contract",
    "no content": "show my invoice, and that is it",
}


@pytest.mark.parametrize("text", NO_PARTS.values(), ids=NO_PARTS.keys())
def test_text_that_is_one_wish_is_not_cut(text: str) -> None:
    assert parts_of(text) == ()


async def test_a_decision_tells_what_it_was_measured_against(classifier: Classifier) -> None:
    found = await classifier.classify(ClassificationRequest("when does my contract end", ACME, current_agent="billing"))
    behind = found.explanation
    assert behind is not None
    assert behind.scope - behind.scope_limit == pytest.approx(found.in_scope)
    assert behind.tier.startswith("static")


async def test_the_gate_is_explained_only_where_it_was_asked(classifier: Classifier) -> None:
    alone = await classifier.classify(ClassificationRequest("why is my invoice so high", ACME))
    request = ClassificationRequest("please cancel my plan", ACME, current_agent="billing")
    after = await classifier.classify(request)
    assert alone.explanation is not None
    assert after.explanation is not None
    assert alone.explanation.leaving is None
    assert after.explanation.leaving is not None
    assert 0 < after.explanation.leaving < 1


async def test_the_current_agent_leads_a_question_about_a_message_that_is_likely_its_own(
    classifier: Classifier,
) -> None:
    query = "how do I pay for a new plan"
    alone = await classifier.classify(ClassificationRequest(query, ACME))
    within = await classifier.classify(ClassificationRequest(query, ACME, current_agent="billing"))
    assert (alone.outcome, alone.candidates[0].agent) == ("ambiguous", "contract")
    assert (within.outcome, within.candidates[0].agent) == ("ambiguous", "billing")
