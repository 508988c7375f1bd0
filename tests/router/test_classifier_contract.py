"""What every classifier promises, whatever it decides by. Add a variant to `VARIANTS` when you write one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from lmos.conversation.messages import Message
from lmos.encoders.registry import encoder_named
from lmos.router.base import Classification, ClassificationRequest, Classifier, Roster, RosterAgent
from lmos.router.classifier import default_classifier
from lmos.router.strategies import classifier_named
from lmos.router.vector import VectorClassifier
from tests.router.rosters import ACME, BILLING, CONTRACT, DESCRIBED, SUPPORT

pytestmark = pytest.mark.anyio

T = TypeVar("T")

VARIANTS: dict[str, Callable[[], Classifier]] = {
    "vector on static": lambda: VectorClassifier(encoder_named("static")),
    "vector on onnx": lambda: VectorClassifier(encoder_named("onnx")),
    "strategy vector on static": lambda: classifier_named("vector", VectorClassifier(encoder_named("static"))),
    "default on all installed encoders": default_classifier,
}

AWKWARD = {
    "empty": "",
    "blank": " \t\n",
    "ten kilobytes": "how much is my bill and " * 427,
    "one long word": "x" * 10_000,
    "emoji": "📱🔥😡",
    "right to left": "متى ينتهي عقدي؟",
    "control characters": "bill\x00\x07\x1b[31m\u202e",
    "lone surrogate": "bill \ud83d",
    "quotes and braces": '"}]{"agent": "billing"} \\',
}


@pytest.fixture(params=VARIANTS, scope="module")
def classifier(request: pytest.FixtureRequest) -> Classifier:
    return VARIANTS[request.param]()


def assert_well_formed(found: Classification, roster: Roster) -> None:
    """The invariants of `Classification`."""
    names = {agent.name for agent in roster.agents}
    scores = [candidate.score for candidate in found.candidates]
    assert bool(found.agents) == (found.outcome == "match")
    assert set(found.agents) <= names
    assert {candidate.agent for candidate in found.candidates} <= names
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in [*scores, found.confidence])
    assert found.outcome != "ambiguous" or len(found.candidates) >= 2
    assert found.strategy
    assert found.reason.endswith(".")


IN_SCOPE = {
    "an example": ("how much is my bill", "billing"),
    "an example in capitals": ("HOW MUCH IS MY BILL?!", "billing"),
    "paraphrase of billing": ("why is my invoice so high", "billing"),
    "paraphrase of contract": ("please cancel my plan", "contract"),
    "paraphrase of support": ("my phone has no signal since yesterday", "support"),
    "another capability of support": ("open a ticket please", "support"),
}


@pytest.mark.parametrize(("query", "agent"), IN_SCOPE.values(), ids=IN_SCOPE.keys())
async def test_a_question_that_an_agent_knows_matches_it(classifier: Classifier, query: str, agent: str) -> None:
    found = await classifier.classify(ClassificationRequest(query, ACME))
    assert (found.outcome, found.agents) == ("match", (agent,))
    assert_well_formed(found, ACME)


async def test_a_match_shows_its_capability_and_examples(classifier: Classifier) -> None:
    found = await classifier.classify(ClassificationRequest("open a trouble ticket", ACME))
    assert found.candidates[0].capability == "tickets"
    assert "open a ticket" in found.candidates[0].examples


async def test_a_question_between_two_topics_is_ambiguous(classifier: Classifier) -> None:
    found = await classifier.classify(ClassificationRequest("my contract bill", ACME))
    assert found.outcome == "ambiguous"
    assert {candidate.agent for candidate in found.candidates[:2]} == {"billing", "contract"}
    assert_well_formed(found, ACME)


@pytest.mark.parametrize(
    "query",
    ["what's the weather on Mars", "tell me a joke about cats", "who is the president of France", "bake a lemon cake"],
)
async def test_a_stranger_is_out_of_scope(classifier: Classifier, query: str) -> None:
    found = await classifier.classify(ClassificationRequest(query, ACME))
    assert found.outcome == "out_of_scope"
    assert_well_formed(found, ACME)


@pytest.mark.parametrize("query", ["and the one before?", "thanks", "it still does not work", "ok", "👍"])
@pytest.mark.parametrize("current", ["billing", "support"])
async def test_a_follow_up_stays_with_the_current_agent(classifier: Classifier, query: str, current: str) -> None:
    found = await classifier.classify(ClassificationRequest(query, ACME, current_agent=current))
    assert found.agents == (current,)


@pytest.mark.parametrize(
    ("query", "agent"), [("when does my contract end", "contract"), ("my phone has no signal any more", "support")]
)
async def test_a_new_topic_leaves_the_current_agent(classifier: Classifier, query: str, agent: str) -> None:
    history = (
        Message(role="user", content="how much is my bill"),
        Message(role="assistant", content="Your bill of October is 39.99 EUR."),
    )
    found = await classifier.classify(ClassificationRequest(query, ACME, history, current_agent="billing"))
    assert found.agents == (agent,)


@pytest.mark.parametrize("current", ["billing", "contract", "support"])
async def test_a_question_between_two_topics_is_ambiguous_in_mid_conversation(
    classifier: Classifier, current: str
) -> None:
    found = await classifier.classify(ClassificationRequest("my contract bill", ACME, current_agent=current))
    assert found.outcome == "ambiguous"


async def test_a_stranger_is_out_of_scope_in_mid_conversation(classifier: Classifier) -> None:
    request = ClassificationRequest("what's the weather on Mars", ACME, current_agent="support")
    assert (await classifier.classify(request)).outcome == "out_of_scope"


async def test_a_current_agent_that_left_the_roster_is_no_prior(classifier: Classifier) -> None:
    request = ClassificationRequest("and the one before?", Roster((BILLING, CONTRACT)), current_agent="support")
    assert (await classifier.classify(request)).outcome != "match"


@pytest.mark.parametrize("query", AWKWARD.values(), ids=AWKWARD.keys())
@pytest.mark.parametrize("current", [None, "billing"])
async def test_awkward_text_never_raises(classifier: Classifier, query: str, current: str | None) -> None:
    found = await classifier.classify(ClassificationRequest(query, ACME, current_agent=current))
    assert_well_formed(found, ACME)


async def test_a_roster_without_agents_is_out_of_scope(classifier: Classifier) -> None:
    found = await classifier.classify(ClassificationRequest("how much is my bill", Roster(())))
    assert (found.outcome, found.candidates) == ("out_of_scope", ())


async def test_an_agent_without_capabilities_is_found_by_its_description(classifier: Classifier) -> None:
    parking = RosterAgent("parking", description="Sells parking permits and says where to park the car.")
    roster = Roster((*ACME.agents, parking))
    found = await classifier.classify(ClassificationRequest("where can I park my car", roster))
    assert found.candidates[0].agent == "parking"
    assert found.candidates[0].capability is None


async def test_descriptions_alone_rank_the_right_agent_first(classifier: Classifier) -> None:
    for query, agent in (
        ("questions about my invoices and payments", "billing"),
        ("I want to cancel my contract", "contract"),
        ("my internet and phone line is slow", "support"),
    ):
        found = await classifier.classify(ClassificationRequest(query, DESCRIBED))
        assert found.candidates[0].agent == agent
        assert_well_formed(found, DESCRIBED)


@pytest.mark.parametrize("agent", [BILLING, CONTRACT, SUPPORT], ids=lambda agent: agent.name)
async def test_a_lone_agent_takes_its_own_questions_and_declines_strangers(
    classifier: Classifier, agent: RosterAgent
) -> None:
    roster = Roster((agent,))
    own = await classifier.classify(ClassificationRequest(agent.capabilities[0].examples[0] + " please", roster))
    assert own.agents == (agent.name,)
    stranger = await classifier.classify(ClassificationRequest("bake a lemon cake with vanilla icing", roster))
    assert stranger.outcome == "out_of_scope"


@pytest.mark.parametrize("seed", range(3))
async def test_the_order_of_agents_capabilities_and_examples_does_not_matter(classifier: Classifier, seed: int) -> None:
    deal = random.Random(seed)

    def shuffled(items: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(deal.sample(items, len(items)))

    other = Roster(
        shuffled(
            tuple(
                replace(
                    agent,
                    capabilities=shuffled(tuple(replace(c, examples=shuffled(c.examples)) for c in agent.capabilities)),
                )
                for agent in ACME.agents
            )
        )
    )
    for query in ("please cancel my plan", "my contract bill", "what's the weather on Mars", "invoice"):
        first = await classifier.classify(ClassificationRequest(query, ACME))
        assert await classifier.classify(ClassificationRequest(query, other)) == first


async def test_the_same_query_gets_the_same_answer_from_a_fresh_classifier(
    classifier: Classifier, request: pytest.FixtureRequest
) -> None:
    variant: str = request.node.callspec.params["classifier"]
    query = ClassificationRequest("how do I pay", ACME)
    assert await VARIANTS[variant]().classify(query) == await classifier.classify(query)


async def test_concurrent_first_queries_agree(request: pytest.FixtureRequest, classifier: Classifier) -> None:
    variant: str = request.node.callspec.params["classifier"]
    fresh = VARIANTS[variant]()
    query = ClassificationRequest("please cancel my plan", ACME)
    answers = await asyncio.gather(*(fresh.classify(query) for _ in range(8)))
    assert answers == [await classifier.classify(query)] * 8


async def test_a_prepared_roster_is_decided_as_any_other(
    classifier: Classifier, request: pytest.FixtureRequest
) -> None:
    variant: str = request.node.callspec.params["classifier"]
    prepared = VARIANTS[variant]()
    await prepared.prepare(ACME)
    query = ClassificationRequest("please cancel my plan", ACME)
    assert await prepared.classify(query) == await classifier.classify(query)


async def test_a_roster_without_agents_can_be_prepared(classifier: Classifier) -> None:
    await classifier.prepare(Roster(()))
