"""What the guard says of a change: values, channels that would lose an agent, and who is let through."""
# ruff: noqa: E501 - snapshots are as wide as what they show

from __future__ import annotations

import asyncio

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from lmos.operator.guard import CONTROLLERS, Change, Guard, Mode, Undecided, Verdict
from lmos.operator.plan import Outcome, plan
from lmos.operator.views import Views
from lmos.resources.agent import Agent
from lmos.resources.base import ObjectMeta, Resource
from lmos.resources.channel import Channel
from lmos.resources.rollout import Canary, ChannelRollout, ChannelRolloutSpec, RolloutStrategy, WeightedChannel
from tests.operator.builders import LABELS, agent, channel

BILLING = agent("billing", ("bill", "1.0.0"))
NEXT = agent("billing", ("bill", "2.0.0"))
BAD = agent("billing", ("bill", "one"))
WEB = channel(("bill", "^1.0.0"), name="web")
MEANT = {"lmos.eclipse/allow-unresolved": "true"}


def _guard(*known: Resource, mode: Mode = "deny", budget: float = 60.0) -> Guard:
    views = Views()
    for resource in known:
        stored = resource.with_meta(resource_version="1")
        (views.agents if isinstance(stored, Agent) else views.channels).put(stored)  # pyright: ignore[reportArgumentType]
    return Guard(views, mode, budget=budget)


async def _judge(guard: Guard, old: Resource | None, new: Resource | None, user: str = "alice") -> Verdict:
    return await guard.judge(Change(old, new, user))


async def test_a_new_version_that_no_channel_can_use_is_denied_with_the_reason_and_the_fix() -> None:
    verdict = await _judge(_guard(BILLING, WEB), BILLING, NEXT)
    assert not verdict.allowed
    assert verdict.message == snapshot("""\
1 resolved channel would become unresolved:
  web: no agent provides 'bill' '^1.0.0' to this channel (NoMatchingAgent; billing provides '2.0.0', outside '^1.0.0')
  fix: change what these channels require first, or annotate Agent billing with lmos.eclipse/allow-unresolved: "true"\
""")


async def test_deleting_the_only_agent_of_a_channel_is_denied() -> None:
    verdict = await _judge(_guard(BILLING, WEB), BILLING, None)
    assert verdict.message == snapshot("""\
1 resolved channel would become unresolved:
  web: no agent provides 'bill' in any version (NotProvided)
  fix: change what these channels require first, or annotate Agent billing with lmos.eclipse/allow-unresolved: "true"\
""")


async def test_a_warning_takes_the_place_of_the_denial_where_that_is_the_mode() -> None:
    verdict = await _judge(_guard(BILLING, WEB, mode="warn"), BILLING, None)
    assert verdict == snapshot(
        Verdict(
            allowed=True,
            warnings=("channel web becomes unresolved: no agent provides 'bill' in any version (NotProvided)",),
        )
    )


async def test_an_agent_whose_work_another_takes_over_may_go() -> None:
    verdict = await _judge(_guard(BILLING, agent("second", ("bill", "1.4.0")), WEB), BILLING, None)
    assert verdict == Verdict(True)


async def test_an_agent_that_no_channel_uses_may_go() -> None:
    elsewhere = channel(("bill", "^1.0.0"), name="app", labels=LABELS | {"channel": "app"})
    assert await _judge(_guard(BILLING, elsewhere), BILLING, None) == Verdict(True)


async def test_a_new_agent_can_take_nothing_away() -> None:
    guard = _guard(BILLING, WEB, budget=0.0)
    assert await _judge(guard, None, agent("second", ("bill", "2.0.0"))) == Verdict(True)


async def test_a_channel_that_asks_for_more_than_it_can_have_is_denied() -> None:
    verdict = await _judge(_guard(BILLING, WEB), WEB, channel(("bill", "^3.0.0"), name="web"))
    assert verdict.message == snapshot("""\
1 resolved channel would become unresolved:
  web: no agent provides 'bill' '^3.0.0' to this channel (NoMatchingAgent; billing provides '1.0.0', outside '^3.0.0')
  fix: apply its agents first, or annotate Channel web with lmos.eclipse/allow-unresolved: "true"\
""")


async def test_a_channel_that_moves_to_where_no_agent_serves_it_is_denied() -> None:
    moved = channel(name="web", labels=LABELS | {"channel": "app"})
    verdict = await _judge(_guard(BILLING, channel(name="web")), channel(name="web"), moved)
    assert verdict.message == snapshot("""\
1 resolved channel would become unresolved:
  web: no agent serves it (NoAgentServesChannel)
  fix: apply its agents first, or annotate Channel web with lmos.eclipse/allow-unresolved: "true"\
""")


async def test_a_new_channel_that_is_not_served_yet_only_warns() -> None:
    verdict = await _judge(_guard(BILLING), None, channel(("bill", "^2.0.0"), name="web"))
    assert verdict == snapshot(
        Verdict(
            allowed=True,
            warnings=(
                "channel web is unresolved: no agent provides 'bill' '^2.0.0' to this channel (NoMatchingAgent; billing provides '1.0.0', outside '^2.0.0')",
            ),
        )
    )


async def test_a_channel_that_was_unresolved_before_is_nobodys_fault() -> None:
    unresolved = channel(("bill", "^1.0.0"), ("other", "*"), name="web")
    assert await _judge(_guard(BILLING, unresolved), BILLING, None) == Verdict(True)


async def test_deleting_a_channel_is_allowed() -> None:
    assert await _judge(_guard(BILLING, WEB), WEB, None) == Verdict(True)


@pytest.mark.parametrize("mode", ["deny", "warn"])
async def test_an_annotated_agent_may_leave_its_channels(mode: Mode) -> None:
    meant = BILLING.with_meta(annotations=MEANT)
    assert await _judge(_guard(meant, WEB, mode=mode), meant, None) == Verdict(True)


async def test_an_annotation_with_another_value_changes_nothing() -> None:
    unsure = BILLING.with_meta(annotations={"lmos.eclipse/allow-unresolved": "yes"})
    assert not (await _judge(_guard(unsure, WEB), unsure, None)).allowed


async def test_an_annotated_channel_may_be_left() -> None:
    assert await _judge(_guard(BILLING, WEB.with_meta(annotations=MEANT)), BILLING, None) == Verdict(True)


@pytest.mark.parametrize("user", sorted(CONTROLLERS))
async def test_what_kubernetes_itself_removes_is_let_through(user: str) -> None:
    assert await _judge(_guard(BILLING, WEB), BILLING, None, user) == Verdict(True)


async def test_a_user_that_is_exempt_is_let_through() -> None:
    guard = _guard(BILLING, WEB)
    guard.exempt.add("system:serviceaccount:lmos:lmos-operator")
    assert await _judge(guard, BILLING, NEXT, "system:serviceaccount:lmos:lmos-operator") == Verdict(True)
    assert not (await _judge(guard, BILLING, NEXT, "alice")).allowed


async def test_an_object_that_is_being_deleted_may_lose_its_finalizers() -> None:
    going = BAD.with_meta(deletion_timestamp="2026-11-25T09:00:00Z")
    assert await _judge(_guard(BILLING, WEB), BAD, going) == Verdict(True)


async def test_a_bad_value_is_denied_with_field_value_and_fix() -> None:
    verdict = await _judge(_guard(), None, BAD)
    assert (verdict.message, [problem.field for problem in verdict.problems]) == snapshot(
        (
            """\
1 problem in Agent billing:
  spec.providedCapabilities[0].version: version 'one' is not a semantic version
      fix: write major.minor.patch, as in '1.0.0' or '2.1.0-rc.1'\
""",
            ["spec.providedCapabilities[0].version"],
        )
    )


async def test_a_value_that_was_bad_before_only_warns() -> None:
    verdict = await _judge(_guard(), BAD, BAD.with_meta(labels={"team": "a"}))
    assert verdict == snapshot(
        Verdict(
            allowed=True,
            warnings=(
                "spec.providedCapabilities[0].version: version 'one' is not a semantic version; write major.minor.patch, as in '1.0.0' or '2.1.0-rc.1'",
            ),
        )
    )


async def test_only_values_are_judged_where_the_operator_does_not_watch() -> None:
    guard = Guard(Views(), "deny", watches=lambda namespace: namespace == "lmos")
    assert await _judge(guard, None, WEB) == Verdict(True)
    assert not (await _judge(guard, None, BAD)).allowed


async def test_the_object_under_review_counts_not_the_one_in_the_cache() -> None:
    lagging = agent("billing", ("bill", "0.9.0"))
    assert not (await _judge(_guard(lagging, WEB), BILLING, NEXT)).allowed


async def test_a_rollout_between_channels_that_do_not_exist_warns() -> None:
    canary = Canary(
        canary_channel=WeightedChannel(name="web-canary", weight=5), stable_channel=WeightedChannel(name="web")
    )
    rollout = ChannelRollout(
        metadata=ObjectMeta(name="r"), spec=ChannelRolloutSpec(strategy=RolloutStrategy(canary=canary))
    )
    assert await _judge(_guard(WEB), None, rollout) == snapshot(
        Verdict(
            allowed=True,
            warnings=(
                "spec.strategy.canary.canaryChannel.name: there is no Channel 'web-canary' in namespace 'default'",
            ),
        )
    )


async def test_many_channels_are_counted_after_the_first_ten() -> None:
    channels = [channel(("bill", "^1.0.0"), name=f"web-{i:03}") for i in range(250)]
    denied = await _judge(_guard(BILLING, *channels), BILLING, None)
    assert (denied.message.splitlines()[0], denied.message.splitlines()[-2]) == snapshot(
        ("250 resolved channels would become unresolved:", "  and 240 more")
    )
    warned = await _judge(_guard(BILLING, *channels, mode="warn"), BILLING, None)
    assert (len(warned.warnings), warned.warnings[-1]) == snapshot((11, "and 240 more"))


async def test_a_warning_is_one_line_of_a_length_that_kubernetes_passes_on() -> None:
    many = [(f"capability-{i}", "^1.0.0") for i in range(20)]
    verdict = await _judge(_guard(), None, channel(*many, name="web"))
    assert [(len(line), line.count("\n")) for line in verdict.warnings] == [(250, 0)]


async def test_what_takes_too_long_is_not_decided() -> None:
    with pytest.raises(Undecided, match=r"billing .* touches too many channels"):
        await _judge(_guard(BILLING, WEB, budget=0.0), BILLING, None)


def test_a_change_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="old or a new"):
        _ = Change(None, None, "alice").subject


_VERSIONS = st.sampled_from(["1.0.0", "2.0.0"])
_AGENTS = st.builds(
    agent,
    st.sampled_from(["a", "b", "c"]),
    st.tuples(st.sampled_from(["x", "y"]), _VERSIONS),
    tenants=st.sampled_from([(), ("acme",), ("other",)]),
    channels=st.sampled_from([("web",), ("app",), ("web", "app")]),
    subset=st.sampled_from([None, "canary"]),
)
_CHANNELS = st.builds(
    channel,
    st.tuples(st.sampled_from(["x", "y"]), st.sampled_from(["*", "^1", "^2"])),
    name=st.sampled_from(["p", "q", "r"]),
    labels=st.fixed_dictionaries(
        {"tenant": st.just("acme"), "channel": st.sampled_from(["web", "app"])}, optional={"subset": st.just("canary")}
    ),
)


def _named(resource: Resource) -> str:
    return resource.metadata.name


@given(
    st.lists(_AGENTS, max_size=3, unique_by=_named),
    st.lists(_CHANNELS, max_size=3, unique_by=_named),
    st.one_of(_AGENTS, _CHANNELS),
    st.booleans(),
)
def test_what_is_denied_is_what_a_plan_of_everything_shows(
    agents: list[Agent], channels: list[Channel], new: Agent | Channel, going: bool
) -> None:
    known = [*agents, *channels]
    old = next((resource for resource in known if resource.key == new.key), None)
    assume(old is not None or not going)
    shown = plan(known, [] if going else [new], [new.key] if going else [])
    lost = {c.channel.name for c in shown.channels if c.outcome is Outcome.BECOMES_UNRESOLVED}

    verdict = asyncio.run(_judge(_guard(*known), old, None if going else new))

    told = {line.split(":")[0].strip() for line in verdict.message.splitlines()[1:-1]}
    assert (verdict.allowed, told) == (not lost, lost)
