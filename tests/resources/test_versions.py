"""Versions and ranges: npm's own cases, the recorded answers of the JVM operator, and the algebra of both."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmos.resources.agent import ProvidedCapability
from lmos.resources.base import Model
from lmos.resources.channel import RequiredCapability
from lmos.resources.routing import RoutedCapability
from lmos.resources.versions import (
    MAX_RANGE_LENGTH,
    MAX_VERSION_LENGTH,
    BadRange,
    BadVersion,
    Version,
    VersionRange,
    parse_range,
    parse_version,
)

DATA = Path(__file__).parents[1] / "data"
NPM: dict[str, list[list[Any]]] = json.loads((DATA / "node_semver" / "cases.json").read_text())

# npm answers "no match" where the version is none; here that is an error which names the version.
NO_VERSIONS = {"not a version", "glorp"}

versions = st.builds(
    Version,
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(0, 4),
    st.lists(st.one_of(st.integers(0, 3), st.sampled_from(["alpha", "beta", "rc"])), max_size=2).map(tuple),
)
comparators = st.builds("{}{}".format, st.sampled_from(["", "=", ">", ">=", "<", "<=", "^", "~"]), versions)
ranges = st.lists(st.lists(comparators, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=3).map(
    lambda alternatives: parse_range(" || ".join(alternatives))
)


# -- npm ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "version"), NPM["include"])
def test_a_range_matches_what_npm_includes(text: str, version: str) -> None:
    assert parse_range(text).matches(version)


@pytest.mark.parametrize(("text", "version"), [case for case in NPM["exclude"] if case[1] not in NO_VERSIONS])
def test_a_range_does_not_match_what_npm_excludes(text: str, version: str) -> None:
    assert not parse_range(text).matches(version)


@pytest.mark.parametrize("text", [text for text, canonical in NPM["parse"] if canonical is None])
def test_a_range_that_npm_refuses_is_bad(text: str) -> None:
    with pytest.raises(BadRange):
        parse_range(text)


@pytest.mark.parametrize("text", [text for text, canonical in NPM["parse"] if canonical is not None])
def test_a_range_that_npm_accepts_parses(text: str) -> None:
    assert parse_range(text).literals


@pytest.mark.parametrize(("greater", "lesser"), NPM["comparisons"])
def test_versions_are_ordered_as_npm_orders_them(greater: str, lesser: str) -> None:
    assert parse_version(greater) > parse_version(lesser)
    assert parse_version(lesser) < parse_version(greater)


@pytest.mark.parametrize("case", NPM["valid"], ids=lambda case: case[0])
def test_a_version_that_npm_accepts_has_npms_parts(case: list[Any]) -> None:
    text, major, minor, patch, prerelease, build = case
    assert parse_version(text).release == (major, minor, patch)
    assert parse_version(text).prerelease == tuple(prerelease)
    assert parse_version(text).build == tuple(build)


@pytest.mark.parametrize(("text", "why"), NPM["invalid"], ids=[why for _, why in NPM["invalid"]])
def test_a_version_that_npm_refuses_is_bad(text: str, why: str) -> None:
    with pytest.raises(BadVersion):
        parse_version(text)


# -- the JVM operator -----------------------------------------------------------------------------------------------


def _single_capability_worlds() -> Iterator[tuple[str, str, str, bool]]:
    """Golden cases that ask one thing: does this range match this version? (id, range, version, JVM's answer)."""
    with gzip.open(DATA / "jvm_golden" / "operator.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            required = case["request"]["channel"]["spec"]["requiredCapabilities"]
            agents = case["request"]["agents"]
            if len(required) != 1 or len(agents) != 1 or "status" not in case["answer"] or not case["answer"]["kept"]:
                continue
            provided = [p for p in agents[0]["spec"]["providedCapabilities"] if p["name"] == required[0]["name"]]
            if len(provided) == 1:
                matched = case["answer"]["status"] == "RESOLVED"
                yield case["request"]["id"], required[0]["version"], provided[0]["version"], matched


WORLDS = list(_single_capability_worlds())
REFUSED = {"abc", "!=1.0.0", ">=1.0.0,<2.0.0"}


@pytest.mark.parametrize(
    ("text", "version", "matched"),
    [pytest.param(*world, id=name) for name, *world in WORLDS if world[0] not in REFUSED | {"x"}],
)
def test_a_range_matches_what_the_jvm_operator_matches(text: str, version: str, matched: bool) -> None:
    assert parse_range(text).matches(version) is matched


@pytest.mark.parametrize(
    ("text", "version", "matched"),
    [pytest.param(*world, id=name) for name, *world in WORLDS if world[0] == "x"],
)
def test_a_lone_x_matches_every_release_unlike_the_jvm_operator(text: str, version: str, matched: bool) -> None:
    assert parse_range(text).matches(version)
    assert not matched


@pytest.mark.parametrize("text", sorted(REFUSED))
def test_a_range_that_the_jvm_operator_never_matches_is_bad(text: str) -> None:
    assert not any(matched for _, range_text, _, matched in WORLDS if range_text == text)
    with pytest.raises(BadRange):
        parse_range(text)


# -- Ivy ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("[1.0,2.0]", ["1.0.0", "1.5.0", "2.0.0"], ["0.9.9", "2.0.1", "2.0.0-rc.1"]),
        ("[1.0,2.0)", ["1.0.0", "1.9.9"], ["2.0.0"]),
        ("[1.0,2.0[", ["1.0.0", "1.9.9"], ["2.0.0"]),
        ("]1.0,2.0[", ["1.0.1", "1.9.9"], ["1.0.0", "2.0.0"]),
        ("(1.0,2.0]", ["1.0.1", "2.0.0"], ["1.0.0", "2.0.1"]),
        ("[1.0,)", ["1.0.0", "9.0.0"], ["0.9.9"]),
        ("]1.0,[", ["1.0.1", "9.0.0"], ["1.0.0"]),
        ("(,2.0]", ["0.0.0", "2.0.0"], ["2.0.1"]),
        ("(,2.0[", ["0.0.0", "1.9.9"], ["2.0.0"]),
        ("[1.2.3]", ["1.2.3"], ["1.2.2", "1.2.4"]),
        ("[1.2]", ["1.2.0"], ["1.2.1"]),
        ("[ 1.0 , 2.0 )", ["1.0.0"], ["2.0.0"]),
        ("[1.0,1.1] || [2.0,2.1]", ["1.1.0", "2.1.0"], ["1.5.0"]),
        ("[1.0.0-rc.1,2.0)", ["1.0.0-rc.2", "1.0.0"], ["1.0.0-beta"]),
        ("1.+", ["1.0.0", "1.9.9"], ["2.0.0"]),
        ("1.2.+", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("+", ["0.0.0", "9.9.9"], ["1.0.0-rc.1"]),
        ("latest", ["0.0.0", "9.9.9"], ["1.0.0-rc.1"]),
        ("latest.integration", ["1.0.0"], ["1.0.0-rc.1"]),
        ("latest.release", ["1.0.0"], ["1.0.0-rc.1"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_ivy_range_has_ivys_bounds(text: str, inside: list[str], outside: list[str]) -> None:
    assert [v for v in inside + outside if parse_range(text).matches(v)] == inside


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        (">=1.0.0,<2.0.0", "'>=1.0.0 <2.0.0'"),
        ("!=1.0.0", ">=1 <1.0.0 || >1.0.0"),
        (">=1 and <2", "'>=1 <2'"),
        ("1 or 2", "'1 || 2'"),
        ("=>1.0.0", "'>=1.0.0'"),
        ("==1.0.0", "'=1.0.0'"),
        ("1.0.0.0", "three parts"),
        (">=01.0.0", "leading zeros"),
        ("[1,2],[3,4]", "' || '"),
        ("1.x.5", "'1.x'"),
        ("abc", "'^1.2.0'"),
        ("１.0.0", "printable ASCII"),
        ("1" * (MAX_RANGE_LENGTH + 1), "shorten"),
        ("9007199254740992.0.0", "too big"),
    ],
    ids=lambda value: value[:20],
)
def test_a_bad_range_says_what_to_write(text: str, fix: str) -> None:
    with pytest.raises(BadRange) as caught:
        parse_range(text)
    assert fix in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("", "'1.0.0'"),
        ("1", "'1.0.0'"),
        ("1.0", "'1.0.0'"),
        ("v2.1", "'v2.1.0'"),
        ("1.0.0.0", "'1.0.0+0'"),
        ("latest", "major.minor.patch"),
        ("01.0.0", "leading zero"),
        ("1.0.0-01", "leading zero"),
        (">=1.0.0", "ranges belong to the channel"),
        ("1.x", "ranges belong to the channel"),
        ("1.0.0-ä", "printable ASCII"),
        ("99999999999.0.0", "2147483647"),
        ("1.0.0+" + "b" * MAX_VERSION_LENGTH, "shorten"),
    ],
    ids=lambda value: value[:20],
)
def test_a_bad_version_says_what_to_write(text: str, fix: str) -> None:
    with pytest.raises(BadVersion) as caught:
        parse_version(text)
    assert fix in str(caught.value)


@pytest.mark.parametrize("text", ["1.0.0", "v1.0.0", "  1.0.0", "1.0.0 ", "1.0.0+build"])
def test_a_version_with_v_or_blanks_around_is_accepted(text: str) -> None:
    assert parse_version(text) == Version(1, 0, 0)


def test_a_text_that_is_no_version_is_an_error_when_matched() -> None:
    with pytest.raises(BadVersion, match=r"'1\.0'"):
        parse_range("*").matches("1.0")


@pytest.mark.parametrize(
    ("model", "name", "limit"),
    [
        (RequiredCapability, "version", MAX_RANGE_LENGTH),
        (RoutedCapability, "required_version", MAX_RANGE_LENGTH),
        (RoutedCapability, "provided_version", MAX_VERSION_LENGTH),
        (ProvidedCapability, "version", MAX_VERSION_LENGTH),
    ],
    ids=str,
)
def test_a_manifest_holds_every_text_that_parses(model: type[Model], name: str, limit: int) -> None:
    assert limit in [getattr(bound, "max_length", None) for bound in model.model_fields[name].metadata]


# -- choice ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "offered", "chosen"),
    [
        ("^1.2.0", ["1.3.0", "1.2.5", "1.9.0"], "1.2.5"),
        (">=1.0.0", ["3.0.0", "1.4.0", "2.0.0"], "1.4.0"),
        ("<3", ["0.0.2", "2.9.0", "1.0.0"], "2.9.0"),
        ("(,2.0]", ["1.9.9", "0.1.0"], "1.9.9"),
        ("*", ["2.0.0", "0.1.0", "1.0.0"], "0.1.0"),
        ("latest", ["2.0.0", "0.1.0"], "0.1.0"),
        ("1.x || 3.x", ["1.5.0", "3.0.1", "1.1.0"], "3.0.1"),
        ("[1.0,2.0]", ["1.4.0", "2.0.0"], "2.0.0"),
        (">=1.0.0 <=3.0.0", ["1.1.0", "3.0.0", "2.0.0"], "3.0.0"),
        ("1.0.0 - 3", ["1.1.0", "3.1.0"], "3.1.0"),
        (">=1.0.0-0", ["1.0.0-alpha", "1.0.0-1", "1.0.0"], "1.0.0"),
        ("^2.0.0", ["1.0.0"], None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_most_similar_version_is_the_nearest_to_one_that_the_range_names(
    text: str, offered: list[str], chosen: str | None
) -> None:
    assert parse_range(text).most_similar(offered) == (chosen and parse_version(chosen))


@pytest.mark.parametrize(
    ("text", "literals"),
    [
        ("", ["0.0.0"]),
        ("*", ["0.0.0"]),
        ("latest", ["0.0.0"]),
        ("1", ["1.0.0"]),
        ("~1.2", ["1.2.0"]),
        ("^1.2.3-rc.1+build", ["1.2.3-rc.1"]),
        (">=1 <1.5 || >=3", ["1.0.0", "1.5.0", "3.0.0"]),
        ("1.0.0 - 2", ["1.0.0", "2.0.0"]),
        ("* - 2", ["0.0.0", "2.0.0"]),
        ("]1.0,2.0[", ["1.0.0", "2.0.0"]),
        ("1.+", ["1.0.0"]),
    ],
)
def test_literals_are_the_versions_that_a_range_names(text: str, literals: list[str]) -> None:
    assert [str(version) for version in parse_range(text).literals] == literals


def test_the_first_of_equal_versions_is_chosen() -> None:
    first, second = parse_version("1.0.0+1"), parse_version("1.0.0+2")
    assert parse_range("*").highest([first, second]) is first
    assert parse_range("*").most_similar([first, second]) is first


def test_the_highest_of_nothing_is_none() -> None:
    assert parse_range("*").highest([]) is None


# -- algebra --------------------------------------------------------------------------------------------------------


@given(versions)
def test_a_version_survives_printing(version: Version) -> None:
    assert parse_version(str(version)) == version


@given(versions, versions, versions)
def test_versions_are_totally_ordered(a: Version, b: Version, c: Version) -> None:
    assert [a < b, a == b, a > b].count(True) == 1
    assert not (a <= b <= c) or a <= c
    assert a != b or hash(a) == hash(b)


@given(versions)
def test_a_prerelease_comes_before_its_release(version: Version) -> None:
    assert version <= Version(*version.release)


@given(ranges, st.lists(versions, max_size=8))
def test_the_highest_satisfying_version_satisfies_and_none_is_higher(wanted: VersionRange, some: list[Version]) -> None:
    chosen = wanted.highest(some)
    satisfying = [version for version in some if wanted.matches(version)]
    assert chosen == max(satisfying, default=None)


@given(ranges, st.lists(versions, max_size=8))
def test_the_most_similar_version_satisfies_and_none_is_nearer(wanted: VersionRange, some: list[Version]) -> None:
    chosen = wanted.most_similar(some)
    satisfying = [version for version in some if wanted.matches(version)]
    nearest = min(map(wanted.distance, satisfying), default=None)
    assert chosen == max((v for v in satisfying if wanted.distance(v) == nearest), default=None)


@given(ranges, st.lists(versions, max_size=6), st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order_of_offers(wanted: VersionRange, some: list[Version], rnd: Any) -> None:
    shuffled = list(some)
    rnd.shuffle(shuffled)
    assert wanted.most_similar(some) == wanted.most_similar(shuffled)
    assert wanted.highest(some) == wanted.highest(shuffled)


@given(versions, versions)
def test_an_alternative_adds_its_matches(a: Version, b: Version) -> None:
    either = parse_range(f"={a} || ={b}")
    assert either.matches(a)
    assert either.matches(b)


@given(st.text(max_size=MAX_RANGE_LENGTH + 10) | st.text("0123456789.xX*-+^~<>=|,[]() av", max_size=40))
def test_any_text_is_a_range_or_a_bad_range(text: str) -> None:
    with suppress(BadRange):
        parsed = parse_range(text)
        assert all(parsed.distance(literal) == (0, 0, 0) for literal in parsed.literals)


@given(st.text(max_size=MAX_VERSION_LENGTH + 10) | st.text("0123456789.-+v a", max_size=30))
def test_any_text_is_a_version_or_a_bad_version(text: str) -> None:
    with suppress(BadVersion):
        parsed = parse_version(text)
        assert parse_version(str(parsed)) == parsed
