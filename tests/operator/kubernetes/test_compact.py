"""Sharing what objects have in common changes nothing that anybody can see, and makes them small."""

from __future__ import annotations

import tracemalloc
from typing import Any

from lmos.operator.kubernetes.compact import Pool
from lmos.resources.agent import Agent
from lmos.resources.channel import Channel, ChannelStatus, ResolveStatus


def raw(number: int) -> dict[str, Any]:
    """An Agent of about 1 KB."""
    capabilities = [
        {
            "id": f"c{n}",
            "name": f"capability-{(number + n) % 50}",
            "version": f"1.{n}.0",
            "description": "Answers what customers ask about their contract",
            "examples": ["Where is my contract?", "How long does my contract run?"],
        }
        for n in range(3)
    ]
    meta = {"name": f"a{number:05}", "namespace": "default", "uid": f"u{number:05}", "resourceVersion": str(number)}
    labels = {"subset": "stable", "team": f"t{number % 10}"}
    spec = {"id": f"a{number}", "supportedTenants": ["acme"], "supportedChannels": ["web", "app"]}
    return {"metadata": {**meta, "labels": labels}, "spec": {**spec, "providedCapabilities": capabilities}}


def read(number: int, pool: Pool | None) -> Agent:
    agent = Agent.model_validate(raw(number))
    return agent if pool is None else pool.compact(agent)


def test_a_compact_object_is_equal_to_what_it_was() -> None:
    pool = Pool()
    for number in range(20):
        assert read(number, pool) == read(number, None)
        assert read(number, pool).model_dump(exclude_unset=True) == read(number, None).model_dump(exclude_unset=True)
        assert read(number, pool).to_wire() == read(number, None).to_wire()
        assert read(number, pool).with_meta(name="other") == read(number, None).with_meta(name="other")


def test_a_copy_with_another_field_set_leaves_the_others_alone() -> None:
    pool = Pool()
    first, second = read(1, pool), read(2, pool)
    changed = first.model_copy(update={"status": None})
    assert "status" in changed.model_fields_set
    assert "status" not in first.model_fields_set
    assert "status" not in second.model_fields_set


def test_an_enum_stays_one_beside_its_text() -> None:
    pool = Pool()
    labelled = pool.compact(
        Channel.model_validate(
            {"metadata": {"name": "RESOLVED", "labels": {"a": "RESOLVED"}}, "spec": {"requiredCapabilities": []}}
        )
    )
    status = pool.compact(ChannelStatus(resolve_status=ResolveStatus.RESOLVED))
    assert status.resolve_status is ResolveStatus.RESOLVED
    assert type(labelled.metadata.labels["a"]) is str


def test_equal_texts_labels_and_tuples_are_one() -> None:
    pool = Pool()
    first, second = read(1, pool), read(11, pool)
    assert first.metadata.labels["team"] is second.metadata.labels["team"]
    assert first.metadata.labels is second.metadata.labels
    assert first.spec.supported_channels is second.spec.supported_channels


def test_an_agent_takes_less_than_half_of_its_memory() -> None:
    """What it takes as pydantic leaves it depends on which of its keys CPython shares already: 6.4 to 9 KB."""

    def size(pool: Pool | None) -> int:
        tracemalloc.start()
        kept = [read(number, pool) for number in range(1000)]
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size // len(kept)

    read(0, Pool())
    compact, plain = size(Pool()), size(None)
    assert compact < plain / 2
