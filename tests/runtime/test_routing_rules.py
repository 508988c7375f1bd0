"""The rules of a channel reach the classifier of its turns."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmos.conversation.events import MessageCompleted, RouteDecided
from lmos.resources.rules import RoutingRule, RoutingRules
from lmos.router.rules import RulesClassifier
from tests.runtime.fakes import NamedInQuery, a_runtime, echo, play, turn

pytestmark = pytest.mark.anyio

RULES = RoutingRules(
    denied_agents=("support",),
    rules=(RoutingRule(name="money", agent="billing", keywords=("money",)), RoutingRule(keywords=("joke",))),
)


@pytest.mark.parametrize(
    ("text", "strategy", "agents"),
    [
        ("I want my money back", "rules", ("billing",)),
        ("tell me a joke about billing", "rules", ()),
        ("billing please", "named", ("billing",)),
        ("support please", "named", ()),
    ],
    ids=["a rule sends", "a rule declines", "no rule applies", "a denied agent"],
)
async def test_a_turn_is_routed_by_the_rules_of_its_channel(
    tmp_path: Path, text: str, strategy: str, agents: tuple[str, ...]
) -> None:
    scripts = {"billing": echo, "support": echo}
    async with a_runtime(tmp_path, scripts, classifier=RulesClassifier(NamedInQuery()), rules=RULES) as (runtime, _):
        events = await play(runtime, turn(text))
    (decided,) = [event for event in events if isinstance(event, RouteDecided)]
    (said,) = [event for event in events if isinstance(event, MessageCompleted)]
    assert (decided.strategy, decided.agents) == (strategy, agents)
    assert said.agent == (agents[0] if agents else None)
