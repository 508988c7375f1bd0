"""The resolver against recorded answers of the JVM operator: equal except where the recording's README says so."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lmos.operator.derive import routing_for, status_for
from lmos.operator.resolver import resolve
from lmos.resources.agent import Agent
from lmos.resources.channel import Channel, ResolveStatus
from lmos.resources.versions import BadVersion, parse_version

RECORDING = Path(__file__).parents[1] / "data" / "jvm_golden" / "operator.jsonl.gz"
NOW = datetime(2026, 1, 1, tzinfo=UTC)

# A lone `x` is every release for us, as in npm; there it matches nothing.
LONE_X = {f"r-{number}" for number in (143, 146, 147, 148, 149, 150, 153)}
# MOST_SIMILAR: there the lowest of 1.0.0-1, 1.0.0-alpha, 1.0.0-alpha.1, 1.0.0; for us these are equally near to the
# 1.0.0-0 that the range names, so the highest is taken.
MOST_SIMILAR = {"r-496"}
# One unparsable version of an agent stops the whole channel there; here the capability is passed over.
BAD_VERSIONS = {f"r-{number}" for number in (473, 476, 479, 481, 482, 483, 485, 551, 553)}
# Refused by the types on both sides: empty version, capability without name, capability without version.
MALFORMED = {"r-477", "r-547", "r-548"}

Row = dict[str, Any]


def _rows() -> list[Row]:
    with gzip.open(RECORDING, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


ROWS = {row["request"]["id"]: row for row in _rows()}
DIFFERENT = LONE_X | MOST_SIMILAR | BAD_VERSIONS | MALFORMED


def _unordered(items: Iterable[Any]) -> list[str]:
    """The original iterates over hash sets keyed by an enum's identity: its order is not the same on every run."""
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def _ours(request: Row) -> Row:
    channel = Channel.model_validate(request["channel"])
    agents = [Agent.model_validate(agent) for agent in request["agents"]]
    resolution = resolve(channel, agents)
    routing = routing_for(channel, resolution, platform_host=None).to_wire()
    status = status_for(channel, resolution, NOW)
    for group in routing["spec"]["capabilityGroups"]:
        for capability in group["capabilities"]:
            del capability["examples"]  # our addition
        group["capabilities"] = _unordered(group["capabilities"])
    unresolved = status.unresolved_required_capabilities or ()
    return {
        "status": status.resolve_status,
        "unresolved": _unordered(capability.model_dump(mode="json", by_alias=True) for capability in unresolved),
        "labels": routing["metadata"].get("labels", {}),
        "groups": _unordered(routing["spec"]["capabilityGroups"]),
    }


def _theirs(answer: Row) -> Row:
    groups = answer["routing"]["spec"]["capabilityGroups"]
    groups = [group | {"capabilities": _unordered(group["capabilities"])} for group in groups]
    labels = answer["routing"]["labels"]
    return {
        "status": answer["status"],
        "unresolved": _unordered(answer.get("unresolved", [])),
        "labels": {label: value for label, value in labels.items() if value is not None},
        "groups": _unordered(groups),
    }


def test_the_recording_is_complete() -> None:
    assert len(ROWS) == 412
    assert ROWS.keys() >= DIFFERENT
    assert len(DIFFERENT) == 20


@pytest.mark.parametrize("case", sorted(ROWS.keys() - DIFFERENT))
def test_resolves_as_the_original(case: str) -> None:
    row = ROWS[case]
    assert _ours(row["request"]) == _theirs(row["answer"])


@pytest.mark.parametrize("case", sorted(LONE_X))
def test_a_lone_x_matches_every_release(case: str) -> None:
    row = ROWS[case]
    assert row["answer"]["status"] == ResolveStatus.UNRESOLVED
    assert _ours(row["request"])["status"] == ResolveStatus.RESOLVED


def test_most_similar_takes_the_higher_of_equally_near_versions() -> None:
    row = ROWS["r-496"]
    assert '"providedVersion\\": \\"1.0.0-1\\"' in _theirs(row["answer"])["groups"][0]
    assert '"providedVersion\\": \\"1.0.0\\"' in _ours(row["request"])["groups"][0]


@pytest.mark.parametrize("case", sorted(BAD_VERSIONS))
def test_a_version_that_stops_the_original_is_passed_over(case: str) -> None:
    row = ROWS[case]
    assert row["answer"]["error"]["type"] == "SemverException"
    agents = row["request"]["agents"]
    versions = [capability["version"] for agent in agents for capability in agent["spec"]["providedCapabilities"]]
    good = [version for version in versions if _parses(version)]
    assert len(good) < len(versions)
    expected = ResolveStatus.RESOLVED if good else ResolveStatus.UNRESOLVED
    assert _ours(row["request"])["status"] == expected


@pytest.mark.parametrize("case", sorted(MALFORMED))
def test_what_the_types_refuse_the_original_refuses_too(case: str) -> None:
    row = ROWS[case]
    assert "error" in row["answer"]
    with pytest.raises(ValidationError):
        _ours(row["request"])


def _parses(version: str) -> bool:
    try:
        parse_version(version)
    except BadVersion:
        return False
    return True
