"""The hybrids: when the model is asked, what it is shown, and what happens without it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lmos.conversation.events import Candidate
from lmos.conversation.messages import Message
from lmos.models.base import ModelError
from lmos.router.asking import Limits
from lmos.router.base import Classification, ClassificationRequest, Roster
from lmos.router.hybrid import AbstractingClassifier, HybridClassifier
from lmos.router.llm import LlmClassifier, LlmOptions
from lmos.testing import Reply, ScriptedModel
from tests.router.rosters import ACME, BILLING

pytestmark = pytest.mark.anyio

CANDIDATES = (
    Candidate(agent="billing", capability="pay-bill", score=0.5, examples=("I want to pay my bill",)),
    Candidate(agent="contract", score=0.4),
)
SURE = Classification("match", ("billing",), CANDIDATES, 0.5, "vector", "Close.", 2.0)
UNSURE = Classification("ambiguous", (), CANDIDATES, 0.5, "vector", "May be either.", 1.0)
FOREIGN = Classification("out_of_scope", (), CANDIDATES, 0.5, "vector", "Not close.", -1.0)
STRANGER = replace(FOREIGN, in_scope=-9.0)
QUERY = ClassificationRequest("my contract bill", ACME)


class Fixed:
    """A vector classifier that has decided already."""

    name = "vector"

    def __init__(self, found: Classification) -> None:
        self.found = found
        self.asked: list[ClassificationRequest] = []

    async def prepare(self, roster: Roster) -> None:
        return None

    async def classify(self, request: ClassificationRequest) -> Classification:
        self.asked.append(request)
        return self.found


def named(agent: str | None) -> str:
    return f'{{"reason": "so it is", "agentId": {"null" if agent is None else chr(34) + agent + chr(34)}}}'


@pytest.mark.parametrize("first", [SURE, STRANGER], ids=["sure of an agent", "surely none"])
async def test_what_vectors_are_sure_of_costs_no_model_call(first: Classification) -> None:
    model = ScriptedModel()
    found = await HybridClassifier(Fixed(first), LlmClassifier(model)).classify(QUERY)
    assert found == replace(first, strategy="hybrid")
    assert model.asked == []


async def test_between_two_agents_the_model_picks_from_the_shortlist() -> None:
    model = ScriptedModel([named("contract")])
    found = await HybridClassifier(Fixed(UNSURE), LlmClassifier(model)).classify(QUERY)
    assert (found.outcome, found.agents, found.strategy) == ("match", ("contract",), "hybrid")
    assert [candidate.agent for candidate in found.candidates] == ["contract", "billing"]
    assert '"name":"support"' not in model.asked[0].system


async def test_the_shortlist_holds_the_agent_of_the_conversation() -> None:
    model = ScriptedModel([named("support")])
    request = replace(QUERY, current_agent="support")
    assert (await HybridClassifier(Fixed(UNSURE), LlmClassifier(model)).classify(request)).agents == ("support",)


async def test_a_message_that_looks_foreign_is_shown_to_the_model_with_the_whole_roster() -> None:
    model = ScriptedModel([named("support")])
    found = await HybridClassifier(Fixed(FOREIGN), LlmClassifier(model)).classify(QUERY)
    assert found.agents == ("support",)
    assert found.candidates[0].agent == "support"


async def test_the_model_may_say_that_nobody_fits() -> None:
    found = await HybridClassifier(Fixed(UNSURE), LlmClassifier(ScriptedModel([named(None)]))).classify(QUERY)
    assert (found.outcome, found.agents) == ("out_of_scope", ())
    assert found.reason == "The model finds no agent for the message: so it is."


async def test_the_probability_is_vectors_after_the_models_word() -> None:
    found = await HybridClassifier(Fixed(UNSURE), LlmClassifier(ScriptedModel([named("contract")]))).classify(QUERY)
    # 0.4 before; the witness is right 96 of 100 times, and there is one other agent on the shortlist.
    assert found.confidence == pytest.approx(0.4 * 0.96 / (0.4 * 0.96 + 0.6 * 0.04))
    assert [c.score for c in found.candidates] == sorted((c.score for c in found.candidates), reverse=True)


@pytest.mark.parametrize("first", [UNSURE, FOREIGN], ids=["ambiguous", "foreign"])
@pytest.mark.parametrize(
    "reply",
    [ModelError("no such key"), Reply(named("billing"), delay=60), "nonsense"],
    ids=["fault", "too slow", "unreadable"],
)
async def test_without_the_model_the_customer_is_asked(first: Classification, reply: str | Exception | Reply) -> None:
    options = LlmOptions(limits=Limits(timeout=0.05, attempts=1))
    llm = LlmClassifier(ScriptedModel([reply]), options)
    found = await HybridClassifier(Fixed(first), llm).classify(QUERY)
    assert (found.outcome, found.agents, found.candidates) == ("ambiguous", (), CANDIDATES)
    assert found.reason.endswith("; the language model did not answer.")


async def test_without_the_model_and_with_one_agent_the_decline_stays() -> None:
    first = replace(FOREIGN, candidates=CANDIDATES[:1])
    llm = LlmClassifier(ScriptedModel([ModelError("down")]))
    request = ClassificationRequest("pizza", Roster((BILLING,)))
    assert (await HybridClassifier(Fixed(first), llm).classify(request)).outcome == "out_of_scope"


async def test_a_vector_classifier_without_a_scope_has_every_decline_checked() -> None:
    first = replace(STRANGER, in_scope=None)
    llm = LlmClassifier(ScriptedModel([named("billing")]))
    assert (await HybridClassifier(Fixed(first), llm).classify(QUERY)).agents == ("billing",)


# -- the older way --------------------------------------------------------------------------------------------------


async def test_vectors_decide_on_the_wish_that_the_model_states() -> None:
    vector = Fixed(SURE)
    history = (Message(role="user", content="my bill"), Message(role="assistant", content="39.99 EUR."))
    request = ClassificationRequest("and the one before?", ACME, history, current_agent="billing")
    model = ScriptedModel(['{"wish": "I want to see my earlier bill"}'])
    found = await AbstractingClassifier(vector, model).classify(request)
    assert vector.asked == [replace(request, query="I want to see my earlier bill", history=(), current_agent=None)]
    assert (found.agents, found.strategy) == (("billing",), "hybrid-abstract")
    assert found.reason == "The model reads the message as 'I want to see my earlier bill'. Close."
    assert [m.content for m in model.asked[0].messages[1:]] == ["my bill", "39.99 EUR.", "and the one before?"]


@pytest.mark.parametrize(
    "script",
    [[ModelError("down")], ["nonsense"] * 2, ['{"wish": ""}'] * 2, ['{"wish": 3}'] * 2],
    ids=["fault", "unreadable", "empty", "number"],
)
async def test_without_a_wish_vectors_decide_on_the_message_itself(script: list[str | Exception]) -> None:
    vector = Fixed(SURE)
    found = await AbstractingClassifier(vector, ScriptedModel(script)).classify(QUERY)
    assert vector.asked == [QUERY]
    assert found.agents == ("billing",)


async def test_no_model_is_asked_about_a_message_without_words() -> None:
    model = ScriptedModel()
    await AbstractingClassifier(Fixed(FOREIGN), model).classify(replace(QUERY, query=" !? "))
    await HybridClassifier(Fixed(FOREIGN), LlmClassifier(model)).classify(replace(QUERY, query=" !? "))
    assert model.asked == []
