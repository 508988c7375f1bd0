"""Routing rules: what a pattern may be, and what is wrong with rules that do not fit together."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lmos.resources.channel import Channel
from lmos.resources.routing import ChannelRouting
from lmos.resources.rules import BadPattern, RoutingRules, compile_pattern
from lmos.resources.validation import validate

LABELS = {"tenant": "acme", "channel": "web"}


def channel(rules: dict[str, Any]) -> Channel:
    spec: dict[str, Any] = {"requiredCapabilities": [], "routingRules": rules}
    return Channel.model_validate({"metadata": {"name": "c", "labels": LABELS}, "spec": spec})


def test_a_pattern_is_found_anywhere_in_any_case() -> None:
    assert compile_pattern(r"order\s+\d+").search("Where is ORDER  4711?") is not None
    assert compile_pattern("kündigen").search("Ich will KÜNDIGEN") is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(a", "is no RE2 expression (missing ): (a)"),
        (r"(a)\1", "is no RE2 expression (invalid escape sequence"),
        ("(?=a)b", "is no RE2 expression (invalid perl operator"),
        ("((a{200}){200}){200}", "is no RE2 expression"),
        ("x*", "is found in every message"),
    ],
    ids=["unbalanced", "back-reference", "look-ahead", "too large", "matches nothing at all"],
)
def test_a_pattern_that_cannot_be_used_is_refused_with_a_fix(text: str, reason: str) -> None:
    with pytest.raises(BadPattern) as caught:
        compile_pattern(text)
    assert caught.value.reason.startswith(reason)
    assert caught.value.fix


def test_a_pattern_that_backtracking_engines_never_end_on_ends() -> None:
    assert compile_pattern("(a+)+$").search("a" * 100_000 + "!") is None  # the test's time limit is the guard


def test_rules_that_fit_together_have_no_problem() -> None:
    rules = {
        "allowedAgents": ["billing", "contract"],
        "deniedAgents": ["support"],
        "rules": [{"name": "cancel", "agent": "contract", "keywords": ["cancel"], "patterns": [r"contract \d+"]}],
    }
    assert validate(channel(rules)) == []


@pytest.mark.parametrize(
    ("rules", "field", "message"),
    [
        ({"rules": [{"agent": "a"}]}, "spec.routingRules.rules[0]", "the rule never applies"),
        (
            {"rules": [{"agent": "a", "patterns": ["ok", "(a"]}]},
            "spec.routingRules.rules[0].patterns[1]",
            "pattern '(a' is no RE2 expression (missing ): (a)",
        ),
        (
            {"rules": [{"agent": "a", "keywords": ["!?"]}]},
            "spec.routingRules.rules[0].keywords[0]",
            "keyword '!?' has no word",
        ),
        (
            {"allowedAgents": ["a"], "deniedAgents": ["b", "a"]},
            "spec.routingRules.deniedAgents[1]",
            "agent 'a' is both allowed and denied",
        ),
        (
            {"deniedAgents": ["a"], "rules": [{"agent": "a", "keywords": ["x"]}]},
            "spec.routingRules.rules[0].agent",
            "the rule sends to 'a', which is denied",
        ),
    ],
    ids=["empty rule", "bad pattern", "keyword without a word", "allowed and denied", "sends to a denied agent"],
)
def test_rules_that_cannot_be_meant_are_problems(rules: dict[str, Any], field: str, message: str) -> None:
    (problem,) = validate(channel(rules))
    assert (problem.field, problem.message, problem.level) == (field, message, "error")
    assert problem.fix


def test_a_routing_with_a_bad_pattern_is_a_problem_too() -> None:
    rules = {"rules": [{"agent": "a", "patterns": ["(a"]}]}
    routing = ChannelRouting.model_validate({"metadata": {"name": "c"}, "spec": {"routingRules": rules}})
    assert [problem.field for problem in validate(routing)] == ["spec.routingRules.rules[0].patterns[0]"]


@pytest.mark.parametrize("size", [501, 5000])
def test_a_long_pattern_is_refused(size: int) -> None:
    with pytest.raises(ValidationError, match="at most 500 characters"):
        RoutingRules.model_validate({"rules": [{"patterns": ["a" * size]}]})
