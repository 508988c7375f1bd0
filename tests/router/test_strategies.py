"""Strategies by name, and what comes before each of them."""

from __future__ import annotations

import pytest

from lmos.conversation.messages import Message
from lmos.encoders.registry import encoder_named
from lmos.models.registry import model_named
from lmos.resources.rules import RoutingRule, RoutingRules
from lmos.router.base import ClassificationRequest, Classifier, ClassifierError
from lmos.router.clarifier import ModelClarifier, TemplateClarifier
from lmos.router.strategies import STRATEGIES, clarifier_named, classifier_named
from lmos.router.vector import VectorClassifier
from lmos.testing import ScriptedModel
from tests.router.rosters import ACME

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def vector() -> Classifier:
    return VectorClassifier(encoder_named("static"))


def strategy(name: str, vector: Classifier) -> tuple[Classifier, ScriptedModel]:
    model = ScriptedModel(['{"reason": "r", "agentId": "support", "wish": "my internet is down"}'])
    return classifier_named(name, vector, model=lambda: model), model


@pytest.mark.parametrize("name", STRATEGIES)
async def test_each_strategy_decides(name: str, vector: Classifier) -> None:
    found = await strategy(name, vector)[0].classify(ClassificationRequest("my internet is down", ACME))
    assert (found.agents, found.strategy) == (("support",), name)


@pytest.mark.parametrize("name", STRATEGIES)
async def test_rules_explicit_agents_and_answers_come_before_each_strategy(name: str, vector: Classifier) -> None:
    classifier, model = strategy(name, vector)
    rules = RoutingRules(rules=(RoutingRule(agent="billing", keywords=("internet",)),))
    query = "my internet is down"
    by_rule = await classifier.classify(ClassificationRequest(query, ACME, rules=rules))
    named = await classifier.classify(ClassificationRequest(query, ACME, explicit_agent="contract", rules=rules))
    question = "I want to be sure that I get this right: is your question about billing or contract?"
    history = (Message(role="assistant", content=question),)
    answered = await classifier.classify(ClassificationRequest("the contract", ACME, history))
    assert [found.agents for found in (by_rule, named, answered)] == [("billing",), ("contract",), ("contract",)]
    assert [found.strategy for found in (by_rule, named, answered)] == ["rules", "explicit", "clarified"]
    assert model.asked == []


async def test_the_hybrid_asks_the_model_only_about_what_vectors_leave_open(vector: Classifier) -> None:
    classifier, model = strategy("hybrid", vector)
    await classifier.classify(ClassificationRequest("how much is my bill", ACME))
    assert model.asked == []
    await classifier.classify(ClassificationRequest("my contract bill", ACME))
    assert len(model.asked) == 1


def test_an_unknown_name_is_an_error_with_those_that_exist(vector: Classifier) -> None:
    with pytest.raises(ClassifierError, match="no router 'best': use 'vector', 'llm', 'hybrid', 'hybrid-abstract'"):
        classifier_named("best", vector)
    with pytest.raises(ClassifierError, match="no clarification 'best': use 'template' or 'model'"):
        clarifier_named("best")


@pytest.mark.parametrize("name", ["llm", "hybrid", "hybrid-abstract"])
def test_a_strategy_that_needs_a_language_model_says_so(name: str, vector: Classifier) -> None:
    with pytest.raises(ClassifierError, match=f"The router '{name}' needs a language model .* set LMOS_ROUTER_MODEL"):
        classifier_named(name, vector, model=lambda: model_named("offline"))


def test_the_vector_strategy_never_loads_a_model(vector: Classifier) -> None:
    def fail() -> ScriptedModel:
        raise AssertionError("loaded")

    classifier_named("vector", vector, model=fail)


def test_clarification_is_by_template_or_model() -> None:
    assert isinstance(clarifier_named("template"), TemplateClarifier)
    assert isinstance(clarifier_named("model", model=ScriptedModel), ModelClarifier)
