"""What `lmos plan` says of a change."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lmos.operator.plan import CapabilityChange, ChannelPlan, Outcome, Plan, Provider, plan
from lmos.resources.base import Resource, ResourceKey
from lmos.resources.channel import ResolveStatus
from tests.operator.builders import agent, channel, discovered

BILLING = agent("billing", ("bill", "1.0.0"))
WEB = channel(("bill", "^1.0.0"), name="web")


def _only(result: Plan) -> ChannelPlan:
    (found,) = result.channels
    return found


def _key(kind: str, name: str) -> ResourceKey:
    return ResourceKey(kind=kind, namespace="default", name=name)


def test_an_empty_world_has_an_empty_plan() -> None:
    assert plan([], []) == Plan(())


def test_a_newer_agent_takes_over() -> None:
    found = _only(plan([BILLING, WEB], [agent("billing-two", ("bill", "1.1.0"))]))
    assert found.outcome is Outcome.REWIRED
    assert [str(p) for change in found.capabilities for p in (change.old, change.new)] == [
        "billing@1.0.0",
        "billing-two@1.1.0",
    ]


def test_a_new_version_of_the_same_agent_is_a_change_of_provider() -> None:
    found = _only(plan([BILLING, WEB], [agent("billing", ("bill", "1.2.0"))]))
    assert found.capabilities == (
        CapabilityChange("bill", "^1.0.0", Provider("billing", "1.0.0"), Provider("billing", "1.2.0")),
    )


def test_a_version_out_of_range_leaves_the_channel_unresolved() -> None:
    result = plan([BILLING, WEB], [agent("billing", ("bill", "2.0.0"))])
    assert _only(result).outcome is Outcome.BECOMES_UNRESOLVED
    assert _only(result).capabilities == (CapabilityChange("bill", "^1.0.0", Provider("billing", "1.0.0"), None),)
    assert [miss.agent for missing in _only(result).unresolved for miss in missing.near_misses] == ["billing"]
    assert result.newly_unresolved == (WEB.key,)


def test_what_was_discovered_holds_in_a_plan_too() -> None:
    known = discovered("billing", ("bill", "1.0.0"))
    written = known.model_copy(update={"status": None}).with_meta(labels={"team": "a"})
    assert _only(plan([known, WEB], [written])).outcome is Outcome.STAYS


def test_a_deleted_agent_leaves_the_channel_unresolved() -> None:
    assert plan([BILLING, WEB], [], [BILLING.key]).newly_unresolved == (WEB.key,)


def test_a_missing_agent_that_arrives_resolves_the_channel() -> None:
    result = plan([WEB], [BILLING])
    assert _only(result).outcome is Outcome.BECOMES_RESOLVED
    assert result.newly_unresolved == ()


def test_a_channel_that_was_unresolved_before_is_not_newly_unresolved() -> None:
    result = plan([WEB], [agent("other", ("ticket", "1.0.0"))])
    assert _only(result).outcome is Outcome.STAYS
    assert _only(result).new_status is ResolveStatus.UNRESOLVED
    assert result.newly_unresolved == ()


def test_a_new_channel_without_its_agent_is_newly_unresolved() -> None:
    result = plan([], [WEB])
    assert _only(result).outcome is Outcome.ADDED
    assert result.newly_unresolved == (WEB.key,)


def test_a_removed_channel_loses_its_providers() -> None:
    found = _only(plan([BILLING, WEB], [], [WEB.key]))
    assert (found.outcome, found.new_status) == (Outcome.REMOVED, None)
    assert found.capabilities == (CapabilityChange("bill", "^1.0.0", Provider("billing", "1.0.0"), None),)


def test_another_range_of_the_same_capability_is_one_change() -> None:
    world = [agent("billing", ("bill", "1.0.0"), ("bill", "2.0.0")), WEB]
    found = _only(plan(world, [channel(("bill", "^2.0.0"), name="web")]))
    assert found.capabilities == (
        CapabilityChange("bill", "^2.0.0", Provider("billing", "1.0.0"), Provider("billing", "2.0.0")),
    )


def test_channels_that_a_change_does_not_touch_stay() -> None:
    others = [channel(("ticket", "*"), name="other"), channel(("bill", "*"), name="far", namespace="far")]
    result = plan([BILLING, WEB, *others], [agent("billing", ("bill", "1.2.0"))])
    assert [found.channel for found in result.changed] == [WEB.key]
    assert [found.channel.name for found in result.channels] == ["other", "web", "far"]


def test_applying_what_is_there_changes_nothing() -> None:
    assert plan([BILLING, WEB], [BILLING, WEB]).changed == ()


def test_a_stored_status_is_not_trusted() -> None:
    assert _only(plan([BILLING, WEB], [BILLING])).old_status is ResolveStatus.RESOLVED


def test_deleting_what_does_not_exist_changes_nothing() -> None:
    assert plan([BILLING, WEB], [], [_key("Agent", "nobody")]).changed == ()


@pytest.mark.parametrize(
    ("changes", "deletions", "message"),
    [
        ([BILLING, BILLING], [], "agent/billing (namespace default) is changed twice"),
        ([BILLING], [BILLING.key], "agent/billing (namespace default) is both changed and deleted"),
    ],
    ids=["twice", "changed-and-deleted"],
)
def test_a_contradictory_change_is_refused(
    changes: Sequence[Resource], deletions: Sequence[ResourceKey], message: str
) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        plan([WEB], changes, deletions)
