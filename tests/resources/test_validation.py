"""Checks of one resource that its types cannot make."""

from __future__ import annotations

from typing import Any

import pytest

from lmos.resources.agent import Agent
from lmos.resources.base import Resource
from lmos.resources.channel import Channel
from lmos.resources.rollout import ChannelRollout
from lmos.resources.routing import ChannelRouting
from lmos.resources.validation import Path, Place, Problem, field_path, validate

_PROVIDED = {"name": "x", "version": "1.0.0"}


def agent(**spec: Any) -> Agent:
    spec = {"supportedChannels": ["web"], "providedCapabilities": [_PROVIDED], **spec}
    return Agent.model_validate({"metadata": {"name": "a"}, "spec": spec})


def channel(labels: dict[str, str], *ranges: str) -> Channel:
    required = [{"name": "x", "version": text} for text in ranges]
    spec = {"requiredCapabilities": required}
    return Channel.model_validate({"metadata": {"name": "c", "labels": labels}, "spec": spec})


def routing(endpoint: dict[str, str]) -> ChannelRouting:
    capability = {"name": "x", "requiredVersion": "*", "providedVersion": "1.0.0", "host": "a", "endpoint": endpoint}
    spec = {"capabilityGroups": [{"name": "a", "capabilities": [capability]}]}
    return ChannelRouting.model_validate({"metadata": {"name": "c"}, "spec": spec})


def rollout(canary: tuple[str, int], stable: tuple[str, int]) -> ChannelRollout:
    channels = {
        f"{role}Channel": {"name": name, "weight": weight}
        for role, (name, weight) in {"canary": canary, "stable": stable}.items()
    }
    return ChannelRollout.model_validate({"metadata": {"name": "r"}, "spec": {"strategy": {"canary": channels}}})


LABELS = {"tenant": "acme", "channel": "web"}


@pytest.mark.parametrize(
    "resource",
    [
        agent(endpoint={"url": "http://a"}),
        agent(endpoint={"url": "http://a"}, discover=True, supportedChannels=[]),
        channel(LABELS, "^1.0.0", "", "latest", "[1.0,2.0)"),
        channel({**LABELS, "app.kubernetes.io/part-of": "shop", "note": ""}),
        routing({"protocol": "local"}),
        rollout(("a", 10), ("b", 90)),
        rollout(("", 0), ("", 0)),
        ChannelRollout.model_validate({"metadata": {"name": "r"}}),
    ],
    ids=lambda resource: resource.KIND,
)
def test_a_good_resource_has_no_problem(resource: Resource) -> None:
    assert validate(resource) == []


@pytest.mark.parametrize(
    ("resource", "field", "message"),
    [
        (
            agent(providedCapabilities=[_PROVIDED, {"name": "y", "version": "1"}]),
            "spec.providedCapabilities[1].version",
            "",
        ),
        (agent(endpoint={"protocol": "arc"}), "spec.endpoint.url", "has no url"),
        (agent(endpoint={"protocol": "local", "url": "http://a"}), "spec.endpoint.url", "'local' agent"),
        (agent(discover=True), "spec.discover", "no url to ask"),
        (agent(discover=True, endpoint={"protocol": "local"}), "spec.discover", "no url to ask"),
        (channel(LABELS, "*", "newest"), "spec.requiredCapabilities[1].version", "is not understood"),
        (channel({**LABELS, "subset": "-"}), "metadata.labels.subset", "no valid label value"),
        (channel({**LABELS, "subset": "x" * 64}), "metadata.labels.subset", "no valid label value"),
        (channel({**LABELS, "a/b/c": "x"}), 'metadata.labels["a/b/c"]', "no valid key"),
        (channel({**LABELS, "/b": "x"}), 'metadata.labels["/b"]', "no valid key"),
        (channel({**LABELS, "": "x"}), 'metadata.labels[""]', "no valid key"),
        (
            routing({"url": "ftp://a"}),
            "spec.capabilityGroups[0].capabilities[0].endpoint.url",
            "has no known scheme",
        ),
        (rollout(("a", 60), ("b", 60)), "spec.strategy.canary", "add up to 120"),
        (rollout(("a", 10), ("a", 90)), "spec.strategy.canary.canaryChannel.name", "the same Channel 'a'"),
        (agent().with_meta(name="-a"), "metadata.name", "no valid name"),
        (agent().with_meta(namespace="A"), "metadata.namespace", "no valid namespace"),
        (agent().with_meta(annotations={"a b": ""}), 'metadata.annotations["a b"]', "no valid key"),
    ],
)
def test_a_bad_value_is_an_error_of_its_field(resource: Resource, field: str, message: str) -> None:
    (problem,) = validate(resource)
    assert problem.level == "error"
    assert problem.field == field
    assert message in problem.message
    assert problem.fix


@pytest.mark.parametrize(
    ("resource", "fields"),
    [
        (channel({}), ["metadata.labels", "metadata.labels"]),
        (channel({"tenant": "acme"}), ["metadata.labels"]),
        (agent(supportedChannels=[]), ["spec.supportedChannels"]),
        (
            agent(supportedChannels=[], discover=True, endpoint={"protocol": "a2a", "url": "http://a"}),
            ["spec.supportedChannels"],
        ),
    ],
    ids=["no labels", "no channel", "no supported channel", "an A2A card names no channels"],
)
def test_what_can_never_be_matched_is_a_warning(resource: Resource, fields: list[str]) -> None:
    assert [(problem.level, problem.field) for problem in validate(resource)] == [("warning", f) for f in fields]


def test_a_secret_in_a_url_is_not_repeated() -> None:
    (problem,) = validate(agent(endpoint={"url": "http://user:secret@a"}))
    assert "secret@" not in f"{problem} {problem.value}"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("spec", "examples", 0), "spec.examples[0]"),
        (("metadata", "labels", "app.kubernetes.io/name"), 'metadata.labels["app.kubernetes.io/name"]'),
    ],
)
def test_a_path_reads_as_in_a_program(path: Path, text: str) -> None:
    assert field_path(path) == text


def test_a_problem_reads_as_place_field_message_and_fix() -> None:
    problem = Problem(("spec", "id"), 1, "must be text", "quote it").at(Place("a.yaml", 3, 7))
    assert str(problem) == "a.yaml:3:7: spec.id: must be text\n    fix: quote it"
