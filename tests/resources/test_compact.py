"""Compact resources: what others see of them is the same, and they take less memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

from lmos.resources.agent import Agent, AgentSpec, ProvidedCapability
from lmos.resources.base import Condition, ObjectMeta
from lmos.resources.channel import Channel, ChannelSpec, ChannelStatus, RequiredCapability, ResolveStatus
from lmos.resources.compact import Compactor
from lmos.resources.routing import ChannelRouting


def _agent(number: int) -> Agent:
    return Agent.model_validate(
        {
            "apiVersion": "lmos.eclipse/v1",
            "kind": "Agent",
            "metadata": {
                "name": f"agent-{number}",
                "namespace": "default",
                "labels": {"subset": "stable", "version": "1.0.0"},
                "uid": f"{number:036}",
                "resourceVersion": str(1000 + number),
                "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {
                "description": "Answers questions about bills",
                "supportedTenants": ["acme"],
                "supportedChannels": ["web", "ivr"],
                "providedCapabilities": [{"name": f"c-{number}-{k}", "version": "1.0.0"} for k in range(4)],
            },
        }
    )


def _channel() -> Channel:
    condition = Condition(type="Resolved", status="True", reason="R", last_transition_time="2026-01-01T00:00:00Z")
    return Channel(
        metadata=ObjectMeta(name="web", labels={"tenant": "acme"}, finalizers=("f",)),
        spec=ChannelSpec(required_capabilities=(RequiredCapability(name="bill", version="*"),)),
        status=ChannelStatus(resolve_status=ResolveStatus.RESOLVED, observed_generation=3, conditions=(condition,)),
    )


def test_a_compact_resource_equals_the_original() -> None:
    compactor = Compactor()
    for original in (_agent(1), _channel(), ChannelRouting(metadata=ObjectMeta(name="web"))):
        small = compactor.compact(original)
        assert type(small) is type(original)
        assert small == original
        assert small.to_wire() == original.to_wire()
        assert small.model_dump(exclude_unset=True) == original.model_dump(exclude_unset=True)
        assert small.model_dump_json() == original.model_dump_json()


def test_changing_a_copy_leaves_the_others_as_they_are() -> None:
    compactor = Compactor()
    one, other = compactor.compact(_agent(1)), compactor.compact(_agent(2))

    changed = one.model_copy(update={"status": None}).with_meta(annotations={"note": "new"})

    assert "status" in changed.model_fields_set
    assert "annotations" in changed.metadata.model_fields_set
    assert (one, other) == (_agent(1), _agent(2))
    assert "status" not in one.model_fields_set
    assert "annotations" not in other.metadata.model_fields_set


def test_texts_that_recur_are_kept_once() -> None:
    compactor = Compactor()
    one, other = compactor.compact(_agent(1)), compactor.compact(_agent(2))
    assert one.metadata.labels["version"] is other.metadata.labels["version"]
    assert one.spec.provided_capabilities[0].version is other.spec.provided_capabilities[3].version


def test_texts_that_never_come_again_are_not_kept_for_ever() -> None:
    compactor = Compactor()
    spec = AgentSpec(provided_capabilities=(ProvidedCapability(name="x", version="1.0.0"),))

    def churn(start: int) -> None:
        for number in range(start, start + 17_000):
            compactor.compact(Agent(metadata=ObjectMeta(name="a", resource_version=str(10**9 + number)), spec=spec))

    churn(0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        churn(17_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2_000_000


def test_a_compact_agent_takes_less_than_two_thirds_of_the_memory() -> None:
    compactor = Compactor()
    _size(lambda number: compactor.compact(_agent(number)))  # models are built on first use
    assert _size(lambda number: compactor.compact(_agent(number))) < 0.67 * _size(_agent)


def _size(make: Callable[[int], Agent]) -> int:
    tracemalloc.start()
    try:
        kept = [make(number) for number in range(500)]
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) == 500
    return size
