"""Rules of a channel decide before any model: by keyword, by pattern, by who may answer at all."""

from __future__ import annotations

import pytest

from lmos.resources.rules import RoutingRule, RoutingRules
from lmos.router.base import Classification, ClassificationRequest, ClassifierError, Roster, UnknownAgent
from lmos.router.explicit import ExplicitClassifier
from lmos.router.rules import RulesClassifier
from tests.router.rosters import ACME

pytestmark = pytest.mark.anyio

CANCEL = RoutingRule(name="cancel", agent="contract", keywords=("cancel", "kündigen"))
ORDER = RoutingRule(name="order", agent="support", patterns=(r"\bT-\d{4}\b",))
MEDICAL = RoutingRule(name="medical", keywords=("chest pain",))


class Recording:
    """Says `out_of_scope` to everything and remembers what it was asked."""

    name = "recording"

    def __init__(self) -> None:
        self.asked: list[ClassificationRequest] = []

    async def prepare(self, roster: Roster) -> None:
        return None

    async def classify(self, request: ClassificationRequest) -> Classification:
        self.asked.append(request)
        return Classification("out_of_scope", (), (), 0.0, self.name, "Nothing.")


async def decide(query: str, *rules: RoutingRule, explicit_agent: str | None = None) -> Classification:
    request = ClassificationRequest(
        query, ACME, explicit_agent=explicit_agent, rules=RoutingRules(rules=rules) if rules else None
    )
    return await RulesClassifier(ExplicitClassifier(Recording())).classify(request)


@pytest.mark.parametrize(
    ("query", "agent"),
    [
        ("please CANCEL it", "contract"),
        ("Ich will kündigen!", "contract"),
        ("what about t-1234", "support"),
    ],
    ids=["keyword in capitals", "keyword in German", "pattern in another case"],
)
async def test_the_first_rule_that_applies_names_the_agent(query: str, agent: str) -> None:
    found = await decide(query, CANCEL, ORDER)
    assert (found.outcome, found.agents, found.strategy, found.confidence) == ("match", (agent,), "rules", 1.0)


@pytest.mark.parametrize("query", ["cancellation", "uncancel", "T-12345", ""], ids=repr)
async def test_a_part_of_a_word_is_not_the_keyword(query: str) -> None:
    assert (await decide(query, CANCEL, ORDER)).strategy == "recording"


async def test_an_earlier_rule_wins() -> None:
    other = RoutingRule(agent="billing", keywords=("cancel",))
    assert (await decide("cancel", other, CANCEL)).agents == ("billing",)


async def test_a_rule_without_an_agent_declines() -> None:
    found = await decide("I have chest pain", MEDICAL)
    assert (found.outcome, found.agents) == ("out_of_scope", ())
    assert found.reason == "Rule 'medical' declines messages with 'chest pain'."


async def test_the_agent_that_the_caller_names_wins_over_a_rule() -> None:
    found = await decide("cancel", CANCEL, explicit_agent="billing")
    assert (found.agents, found.strategy) == (("billing",), "explicit")


async def test_a_rule_for_an_agent_that_does_not_serve_the_channel_never_applies() -> None:
    assert (await decide("cancel", RoutingRule(agent="gone", keywords=("cancel",)), CANCEL)).agents == ("contract",)


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (RoutingRules(allowed_agents=("billing", "support")), ["billing", "support"]),
        (RoutingRules(denied_agents=("billing",)), ["contract", "support"]),
        (RoutingRules(), ["billing", "contract", "support"]),
    ],
    ids=["allowed", "denied", "neither"],
)
async def test_models_see_only_the_agents_that_may_answer(rules: RoutingRules, left: list[str]) -> None:
    inner = Recording()
    await RulesClassifier(inner).classify(ClassificationRequest("hello", ACME, rules=rules))
    assert [agent.name for agent in inner.asked[0].roster.agents] == left


async def test_a_denied_agent_cannot_be_named_explicitly() -> None:
    request = ClassificationRequest(
        "hello", ACME, explicit_agent="billing", rules=RoutingRules(denied_agents=("billing",))
    )
    with pytest.raises(UnknownAgent, match="its agents are contract, support"):
        await RulesClassifier(ExplicitClassifier(Recording())).classify(request)


async def test_the_narrowed_roster_is_made_once_for_all_queries() -> None:
    inner = Recording()
    rules = RulesClassifier(inner)
    for query in ("one", "two"):
        await rules.classify(ClassificationRequest(query, ACME, rules=RoutingRules(denied_agents=("billing",))))
    assert inner.asked[0].roster is inner.asked[1].roster


async def test_without_rules_the_request_passes_unchanged() -> None:
    inner = Recording()
    request = ClassificationRequest("hello", ACME)
    await RulesClassifier(inner).classify(request)
    assert inner.asked == [request]


async def test_a_pattern_that_was_never_validated_is_a_fault_that_names_it() -> None:
    with pytest.raises(ClassifierError, match=r"cannot be used: pattern '\(a' is no RE2 expression"):
        await decide("hello", RoutingRule(agent="billing", patterns=("(a",)))


@pytest.mark.parametrize("query", ["\ud800 cancel", "x" * 100_000, "\x00\u202e", "🔥"])
async def test_awkward_text_never_raises(query: str) -> None:
    assert (await decide(query, CANCEL, ORDER)).outcome in ("match", "out_of_scope")
