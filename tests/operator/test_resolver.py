"""Which agent serves a channel, and the reasons when none does."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmos.operator import reasons
from lmos.operator.resolver import MAX_NEAR_MISSES, Resolution, resolve
from lmos.resources.agent import Agent, Endpoint
from lmos.resources.channel import Channel, ResolveStrategy
from lmos.resources.versions import parse_range, parse_version
from tests.operator.builders import LABELS, agent, channel, discovered

MOST_SIMILAR = ResolveStrategy.MOST_SIMILAR


def _wired(resolution: Resolution) -> list[tuple[str, str, str]]:
    return [(wire.required.name, wire.agent.metadata.name, wire.provided.version) for wire in resolution.wires]


def _misses(resolution: Resolution) -> list[tuple[str, str]]:
    return [(miss.agent, miss.reason) for missing in resolution.unresolved for miss in missing.near_misses]


def test_wires_and_unresolved_keep_the_order_of_the_channel() -> None:
    wanted = channel(("z", "*"), ("lost", "*"), ("a", "*"), ("gone", "*"))
    resolution = resolve(wanted, [agent("one", ("a", "1.0.0"), ("z", "1.0.0"))])
    assert _wired(resolution) == [("z", "one", "1.0.0"), ("a", "one", "1.0.0")]
    assert [missing.required.name for missing in resolution.unresolved] == ["lost", "gone"]


def test_equal_requirements_count_once() -> None:
    assert _wired(resolve(channel(("a", "*"), ("a", "*")), [agent("one", ("a", "1.0.0"))])) == [("a", "one", "1.0.0")]


@pytest.mark.parametrize("versions", [("1.0.0", "1.0.0"), ("1.0.0+1", "1.0.0+2")], ids=["equal", "build-metadata"])
@pytest.mark.parametrize("strategy", list(ResolveStrategy))
def test_the_first_agent_by_name_wins_a_tie(strategy: ResolveStrategy, versions: tuple[str, str]) -> None:
    agents = [agent("b", ("x", versions[1])), agent("a", ("x", versions[0]))]
    assert _wired(resolve(channel(("x", "*"), strategy=strategy), agents)) == [("x", "a", versions[0])]


def test_what_an_agents_endpoint_says_counts_as_its_spec() -> None:
    assert _wired(resolve(channel(("x", "*")), [discovered("a", ("x", "1.0.0"))])) == [("x", "a", "1.0.0")]


def test_agents_of_other_namespaces_are_not_seen() -> None:
    resolution = resolve(channel(("x", "*")), [agent("a", ("x", "1.0.0"), namespace="elsewhere")])
    assert not resolution.served
    assert resolution.unresolved[0].reason == reasons.NOT_PROVIDED


def test_an_agent_that_provides_nothing_that_is_required_does_not_count_as_serving() -> None:
    assert not resolve(channel(("x", "*")), [agent("a", ("y", "1.0.0"))]).served
    assert resolve(channel(("x", "*")), [agent("a", ("x", "bad"))]).served


def test_a_channel_that_nobody_serves_is_unresolved_even_if_it_requires_nothing() -> None:
    assert not resolve(channel(), []).resolved
    assert resolve(channel(), [agent("a")]).resolved


def test_a_bad_version_of_one_agent_does_not_hide_another() -> None:
    agents = [agent("bad", ("x", "not-a-version")), agent("good", ("x", "1.0.0"))]
    assert _wired(resolve(channel(("x", "*")), agents)) == [("x", "good", "1.0.0")]


def test_a_bad_range_leaves_only_its_own_capability_unresolved() -> None:
    resolution = resolve(channel(("x", "!=1.0.0"), ("y", "*")), [agent("a", ("x", "1.0.0"), ("y", "1.0.0"))])
    assert _wired(resolution) == [("y", "a", "1.0.0")]
    assert [(missing.required.name, missing.reason) for missing in resolution.unresolved] == [("x", reasons.BAD_RANGE)]
    assert "!=1.0.0" in resolution.unresolved[0].message


@pytest.mark.parametrize(
    ("candidate", "reason", "message"),
    [
        (agent("a", ("x", "2.0.0")), reasons.VERSION_OUT_OF_RANGE, "provides '2.0.0', outside '^1.0.0'"),
        (agent("a", ("x", "1.0")), reasons.BAD_VERSION, "write all three numbers: '1.0.0'"),
        (agent("a", ("x", "1.0.0"), channels=["ivr"]), reasons.CHANNEL_NOT_SUPPORTED, "serves channels 'ivr'"),
        (agent("a", ("x", "1.0.0"), channels=[]), reasons.CHANNEL_NOT_SUPPORTED, "serves no channel"),
        (agent("a", ("x", "1.0.0"), tenants=["globex"]), reasons.TENANT_NOT_SUPPORTED, "serves tenants 'globex'"),
        (agent("a", ("x", "1.0.0"), subset="canary"), reasons.OTHER_SUBSET, "is in subset 'canary'"),
        (agent("a", ("x", "1.0.0"), endpoint=Endpoint()), reasons.BAD_ENDPOINT, "has no url"),
    ],
    ids=["range", "version", "channel", "no-channel", "tenant", "subset", "endpoint"],
)
def test_a_near_miss_says_why(candidate: Agent, reason: str, message: str) -> None:
    resolution = resolve(channel(("x", "^1.0.0")), [candidate])
    assert resolution.unresolved[0].reason == reasons.NO_MATCHING_AGENT
    (miss,) = resolution.unresolved[0].near_misses
    assert (miss.agent, miss.reason) == ("a", reason)
    assert message in miss.message


def test_a_near_miss_with_several_reasons_names_all_from_the_gravest() -> None:
    far = agent("a", ("x", "2.0.0"), tenants=["globex"], subset="canary")
    (miss,) = resolve(channel(("x", "^1.0.0")), [far]).unresolved[0].near_misses
    assert miss.reason == reasons.OTHER_SUBSET
    places = [miss.message.index(part) for part in ("canary", "globex", "2.0.0")]
    assert places == sorted(places)


def test_near_misses_come_nearest_first() -> None:
    agents = [
        agent("a-canary", ("x", "1.0.0"), subset="canary"),
        agent("b-far", ("x", "2.0.0"), subset="canary"),
        agent("c-tenant", ("x", "1.0.0"), tenants=["globex"]),
        agent("d-version", ("x", "2.0.0")),
        agent("e-version", ("x", "2.0.0")),
    ]
    assert _misses(resolve(channel(("x", "^1.0.0")), agents)) == [
        ("d-version", reasons.VERSION_OUT_OF_RANGE),
        ("e-version", reasons.VERSION_OUT_OF_RANGE),
        ("c-tenant", reasons.TENANT_NOT_SUPPORTED),
        ("a-canary", reasons.OTHER_SUBSET),
        ("b-far", reasons.OTHER_SUBSET),
    ]


def test_one_grave_reason_is_nearer_than_several_light_ones() -> None:
    far = agent("a", ("x", "2.0.0"), channels=["ivr"], tenants=["globex"])
    near = agent("b", ("x", "1.0.0"), subset="canary")
    assert _misses(resolve(channel(("x", "^1.0.0")), [far, near])) == [
        ("b", reasons.OTHER_SUBSET),
        ("a", reasons.TENANT_NOT_SUPPORTED),
    ]


def test_of_one_agent_the_highest_near_version_is_shown() -> None:
    (missing,) = resolve(
        channel(("x", "^3.0.0")), [agent("a", ("x", "1.0.0"), ("x", "2.1.0"), ("x", "2.0.0"))]
    ).unresolved
    assert [miss.provided_version for miss in missing.near_misses] == ["2.1.0"]


def test_near_misses_are_bounded_in_number_and_length() -> None:
    many = [agent(f"a{i:02}", ("x", "1.0.0"), tenants=["t" * 250] * 100) for i in range(20)]
    (missing,) = resolve(channel(("x", "*")), many).unresolved
    assert len(missing.near_misses) == MAX_NEAR_MISSES
    assert all(len(miss.message) <= 1024 for miss in missing.near_misses)


# --- properties ----------------------------------------------------------------------------------------------------

_names = st.sampled_from(["x", "y", "z"])
_versions = st.builds("{}.{}.{}{}".format, *[st.integers(0, 3)] * 3, st.sampled_from(["", "", "", "-rc.1", "+b"]))
_maybe_bad_versions = st.one_of(_versions, st.sampled_from(["1.0", "latest", "nonsense"]))
_ranges = st.sampled_from(["*", "^1.0.0", "~2.1", ">=1.0.0", "<3", "[1.0,2.0]", "1.x || 3.x", ">=1.0.0-0", "bad range"])


@st.composite
def _worlds(draw: st.DrawFn) -> list[Agent]:
    count = draw(st.integers(0, 5))
    return [
        agent(
            f"agent-{number}",
            *draw(st.lists(st.tuples(_names, _maybe_bad_versions), max_size=4)),
            tenants=draw(st.sampled_from([[], ["acme"], ["globex"]])),
            channels=draw(st.sampled_from([["web"], ["web", "ivr"], ["ivr"], []])),
            subset=draw(st.sampled_from([None, "stable", "canary"])),
        )
        for number in range(count)
    ]


@st.composite
def _channels(draw: st.DrawFn) -> Channel:
    return channel(
        *draw(st.lists(st.tuples(_names, _ranges), min_size=1, max_size=3)),
        labels=draw(st.sampled_from([LABELS, LABELS | {"subset": "canary"}, {}, {"channel": "web"}])),
        strategy=draw(st.sampled_from(ResolveStrategy)),
    )


@given(_channels(), _worlds(), st.randoms())
def test_the_order_of_agents_does_not_matter(wanted: Channel, agents: list[Agent], random: Random) -> None:
    shuffled = list(agents)
    random.shuffle(shuffled)
    assert resolve(wanted, shuffled) == resolve(wanted, agents)


@given(_channels(), _worlds())
def test_an_agent_without_a_required_capability_changes_nothing(wanted: Channel, agents: list[Agent]) -> None:
    stranger = agent("stranger", ("unheard-of", "1.0.0"), subset=wanted.subset)
    with_stranger = resolve(wanted, [*agents, stranger])
    assert (with_stranger.wires, with_stranger.unresolved) == _parts(resolve(wanted, agents))


@given(_channels(), _worlds())
def test_every_requirement_is_either_wired_or_unresolved(wanted: Channel, agents: list[Agent]) -> None:
    resolution = resolve(wanted, agents)
    found = [wire.required for wire in resolution.wires] + [missing.required for missing in resolution.unresolved]
    assert set(found) == set(wanted.spec.required_capabilities)
    assert len(found) == len(set(found))


@given(_ranges.filter(lambda text: text != "bad range"), st.lists(_versions, min_size=1, max_size=6))
def test_highest_takes_the_maximum_of_what_matches(text: str, versions: list[str]) -> None:
    resolution = resolve(channel(("x", text)), _one_each(versions))
    matching = [parse_version(version) for version in versions if parse_range(text).matches(version)]
    taken = [parse_version(version) for _, _, version in _wired(resolution)]
    assert taken == ([max(matching)] if matching else [])


@given(st.lists(_versions, min_size=1, max_size=6), _versions)
def test_most_similar_takes_the_nearest_to_a_version_that_the_range_names(versions: list[str], named: str) -> None:
    at = parse_version(named)
    resolution = resolve(channel(("x", f">={named}"), strategy=MOST_SIMILAR), _one_each(versions))
    matching = [parse_version(version) for version in versions if parse_range(f">={named}").matches(version)]
    distances = [(abs(v.major - at.major), abs(v.minor - at.minor), abs(v.patch - at.patch)) for v in matching]
    nearest = [version for version, distance in zip(matching, distances, strict=True) if distance == min(distances)]
    taken = [parse_version(version) for _, _, version in _wired(resolution)]
    assert taken == ([max(nearest)] if nearest else [])


@given(_channels(), _worlds())
def test_only_agents_that_serve_the_channel_are_wired(wanted: Channel, agents: list[Agent]) -> None:
    for wire in resolve(wanted, agents).wires:
        spec = wire.agent.spec
        assert wanted.channel in spec.supported_channels
        assert not spec.supported_tenants or wanted.tenant in spec.supported_tenants
        assert wire.agent.subset == wanted.subset
        assert parse_range(wire.required.version).matches(wire.provided.version)


def _one_each(versions: Sequence[str]) -> list[Agent]:
    return [agent(f"agent-{number}", ("x", version)) for number, version in enumerate(versions)]


def _parts(resolution: Resolution) -> tuple[object, object]:
    return resolution.wires, resolution.unresolved
