"""What the doctor finds in rosters that are ill in one way each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lmos.encoders.cached import CachedEncoder
from lmos.encoders.registry import encoder_named
from lmos.router.base import Roster, RosterAgent, RosterCapability
from lmos.router.evaluation.doctor import Checkup, Finding, examine
from lmos.router.vector import VectorClassifier
from tests.router.rosters import ACME, BILLING, CONTRACT, DESCRIBED, SUPPORT

pytestmark = pytest.mark.anyio


async def checkup(roster: Roster) -> Checkup:
    encoder = CachedEncoder(encoder_named("static"))
    return await examine(roster, encoder, lambda: VectorClassifier(encoder))


async def findings(roster: Roster, kind: str) -> list[Finding]:
    return [finding for finding in (await checkup(roster)).findings if finding.kind == kind]


def with_examples(agent: RosterAgent, *examples: str) -> RosterAgent:
    """`agent` with more examples in its first capability."""
    first, *rest = agent.capabilities
    return replace(agent, capabilities=(replace(first, examples=(*first.examples, *examples)), *rest))


async def test_what_to_expect_comes_from_examples_that_were_left_out() -> None:
    found = await checkup(ACME)
    assert (found.agents, found.capabilities, found.examples) == (3, 6, 31)
    assert found.covered.total == found.direct.total == 31
    assert found.direct.hits == found.right.total
    assert (found.covered.percent or 0) > 80
    assert (found.right.percent or 0) > 90


async def test_an_example_of_two_agents_is_an_error() -> None:
    roster = Roster((with_examples(BILLING, "My internet is down!"), CONTRACT, SUPPORT))
    (finding,) = await findings(roster, "duplicate")
    assert finding.level == "error"
    assert finding.where == "'billing' and 'support'"
    assert "is down" in finding.message


async def test_examples_that_say_nearly_the_same_are_an_overlap() -> None:
    roster = Roster((with_examples(BILLING, "so my internet is down"), CONTRACT, SUPPORT))
    (finding,) = await findings(roster, "overlap")
    assert "'so my internet is down' of 'billing/view-bill'" in finding.message
    assert "'my internet is down' of 'support/report-fault'" in finding.message


async def test_examples_that_read_like_another_agents_are_to_be_moved() -> None:
    strayed = ("my wifi is slow and keeps dropping", "no signal and I cannot make any calls")
    found = await findings(Roster((with_examples(BILLING, *strayed), CONTRACT, SUPPORT)), "confusable")
    (finding,) = [one for one in found if one.where == "'billing/view-bill'" and "report-fault" in one.message]
    assert "of 8 examples of 'billing/view-bill', 2 are taken for 'support/report-fault'" in finding.message
    assert any(repr(text) in finding.fix for text in strayed)


async def test_capabilities_with_few_examples_are_named() -> None:
    found = await findings(DESCRIBED, "few-examples")
    assert [finding.where for finding in found] == [
        f"'{agent.name}/{capability.name}'" for agent in DESCRIBED.agents for capability in agent.capabilities
    ]
    assert found[0].message.endswith("has no example")
    assert found[0].fix.startswith("add 3 or more")
    assert await findings(ACME, "few-examples") == []


async def test_capabilities_that_are_described_alike_are_named() -> None:
    twins = tuple(
        RosterAgent(name, capabilities=(RosterCapability("invoices", "", "Shows the invoices of a customer."),))
        for name in ("one", "two")
    )
    (finding,) = await findings(Roster((*ACME.agents, *twins)), "alike")
    assert finding.message == "'one/invoices' and 'two/invoices' are described alike"


async def test_a_roster_without_examples_promises_nothing() -> None:
    found = await checkup(DESCRIBED)
    assert (found.covered.percent, found.direct.percent, found.right.percent) == (None, None, None)


async def test_a_lone_agent_can_be_examined() -> None:
    found = await checkup(Roster((SUPPORT,)))
    assert (found.agents, [finding.kind for finding in found.findings]) == (1, [])
