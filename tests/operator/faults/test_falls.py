"""Whatever moment of a reconcile an operator dies in, is told to stop in, or freezes in: the next one ends its work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.operator.builders import LABELS, agent, channel
from tests.operator.faults.actions import APPLY, MERGE, Action, Ready, Send, Strike, Wait
from tests.operator.faults.schedule import Outcome, Schedule, run

ALONE, ELECTED = 2, 6
"""Seeds of schedules with workloads: with one operator, and with two that stand for election."""


def _apply(plural: str, body: Mapping[str, Any], name: str) -> Send:
    return Send("PATCH", plural, name, dict(body), APPLY)


def _life() -> list[Action]:
    """Everything that a reconcile may have to do, one after the other."""
    meta = {"name": "agent-1", "labels": {"lmos-agent": "true"}}
    pods = {"metadata": {"labels": {"app": "agent-1"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}
    spec = {"replicas": 1, "template": pods}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "agent-1"},
        "spec": {"selector": {"app": "agent-1"}, "ports": [{"protocol": "TCP", "port": 8080}]},
    }
    first = channel(("x", "^1.0.0"), name="first").to_wire()
    second = channel(("y", "*"), name="second", labels={k: v for k, v in LABELS.items() if k != "subset"}).to_wire()
    found: list[Action] = [
        Wait(3),
        _apply("agents", agent("a", ("x", "1.0.0")).to_wire(), "a"),
        _apply("channels", first, "first"),
        _apply("channels", second, "second"),
        Wait(1),
        _apply("services", service, "agent-1"),
        _apply("deployments", deployment, "agent-1"),
        Ready("agent-1", True),
        Wait(3),
        Send("PATCH", "channelroutings", "second", {"metadata": {"labels": {"subset": "intruder"}}}, MERGE),
        Send("PATCH", "agents", "agent-1", {"metadata": {"labels": {"subset": "intruder"}}}, MERGE),
        Wait(1),
        Send("PATCH", "deployments", "agent-1", {"metadata": {"labels": {"lmos-agent": None}}}, MERGE),
        Wait(1),
        _apply("agents", agent("a", ("x", "2.0.0")).to_wire(), "a"),
        Wait(20),
    ]
    return found


def _struck(seed: int, strike: Strike) -> Outcome:
    outcome = run(Schedule(seed, actions=_life(), faults=False, strike=strike))
    assert outcome.wrongs == [], strike
    return outcome


def _waits(seed: int) -> int:
    """How often the reconciles of this life wait, when nothing happens to the operator."""
    waits = _struck(seed, Strike(0, "kill", 0)).waits
    assert waits >= 12
    return waits


def test_this_life_has_every_kind_of_write() -> None:
    outcome = _struck(ALONE, Strike(0, "kill", 0))
    assert set(outcome.writes) == {
        *("apply Agent", "apply ChannelRouting", "update_status Agent", "update_status Channel", "delete Agent"),
    }


@pytest.mark.parametrize("seed", [ALONE, ELECTED])
@pytest.mark.parametrize("loses_requests", [False, True], ids=["requests arrive", "requests are lost"])
def test_kill_at_every_await(seed: int, loses_requests: bool) -> None:
    for at in range(1, _waits(seed) + 1):
        _struck(seed, Strike(at, "kill", 0.5, loses_requests))


@pytest.mark.parametrize("seed", [ALONE, ELECTED])
def test_stop_at_every_await(seed: int) -> None:
    for at in range(1, _waits(seed) + 1):
        _struck(seed, Strike(at, "stop", 0.5))


@pytest.mark.parametrize("seed", [ALONE, ELECTED])
@pytest.mark.parametrize("seconds", [5, 40])
def test_freeze_at_every_await(seed: int, seconds: float) -> None:
    for at in range(1, _waits(seed) + 1):
        _struck(seed, Strike(at, "pause", seconds))
