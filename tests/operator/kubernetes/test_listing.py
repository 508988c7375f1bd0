"""Lists: as a stream, in chunks where a server cannot stream, and what goes wrong in between."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from lmos.operator import reasons
from lmos.operator.base import ALL_NAMESPACES, Listing, NotFound, ResourceExpired, StoreError
from lmos.operator.kubernetes.client import Client
from lmos.operator.kubernetes.errors import Forbidden, Invalid
from lmos.operator.kubernetes.store import KubernetesStore
from lmos.operator.kubernetes.transport import Answer, TransportError
from tests.operator.kubernetes.scripted import Lines, Script, event, raw_agent, status

pytestmark = pytest.mark.anyio

REFUSED = status(
    422, "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled", "Invalid"
)
EXPIRED = status(410, "The provided continue parameter is too old", "Expired")


def store(script: Script) -> KubernetesStore:
    return KubernetesStore(Client(script, jitter=lambda: 0.0))


def streamed(*names: str, version: int = 50) -> Lines:
    end = {
        "kind": "Agent",
        "metadata": {"resourceVersion": str(version), "annotations": {"k8s.io/initial-events-end": "true"}},
    }
    return Lines([*[event("ADDED", raw_agent(name, 8)) for name in names], event("BOOKMARK", end)])


def chunk(*names: str, more: str | None = None, version: int = 50) -> Answer:
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    if more is not None:
        meta["continue"] = more
    return Answer(200, orjson.dumps({"kind": "AgentList", "metadata": meta, "items": [raw_agent(n, 8) for n in names]}))


def names(listing: Listing) -> list[str]:
    return [resource.metadata.name for resource in listing.items]


async def test_a_list_is_a_stream_that_ends_when_all_is_told() -> None:
    script = Script(streamed("b", "a"))
    listing = await store(script).list("Agent", ALL_NAMESPACES, {"tier": "gold", "subset": "canary"})
    assert (names(listing), listing.resource_version) == (["a", "b"], "50")
    assert script.asked[0].path == "/apis/lmos.eclipse/v1/agents"
    assert script.asked[0].query == {
        "labelSelector": "tier=gold,subset=canary",
        "watch": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    assert script.left == 1


async def test_an_ordinary_bookmark_does_not_end_the_list() -> None:
    early = event("BOOKMARK", {"kind": "Agent", "metadata": {"resourceVersion": "9"}})
    lines = streamed("a")
    listing = await store(Script(Lines([early, *lines.items]))).list("Agent", "default")
    assert (names(listing), listing.resource_version) == (["a"], "50")


async def test_a_stream_that_ends_early_is_no_list() -> None:
    lines = Lines(streamed("a", "b").items[:-1])
    with pytest.raises(TransportError, match="ended before all was told"):
        await store(Script(lines)).list("Agent", "default")


async def test_a_server_that_cannot_stream_is_asked_for_chunks_from_then_on() -> None:
    script = Script(REFUSED, chunk("b", more="m1"), chunk("a"), chunk("c"))
    listed = store(script)
    assert names(await listed.list("Agent", "default")) == ["a", "b"]
    assert names(await listed.list("Agent", "default")) == ["c"]
    assert [asked.query.get("continue") for asked in script.asked[1:]] == [None, "m1", None]
    assert {asked.query["limit"] for asked in script.asked[1:]} == {"500"}


async def test_the_version_of_a_list_in_chunks_is_that_of_the_first_to_last() -> None:
    script = Script(REFUSED, chunk("a", more="m1", version=50), chunk("b", version=50))
    assert (await store(script).list("Agent", "default")).resource_version == "50"


async def test_whoever_may_not_watch_gets_the_list_in_chunks_but_is_asked_to_stream_again() -> None:
    script = Script(status(403, "cannot watch", "Forbidden"), chunk("a"), streamed("b"))
    listed = store(script)
    assert names(await listed.list("Agent", "default")) == ["a"]
    assert names(await listed.list("Agent", "default")) == ["b"]


async def test_whoever_may_neither_watch_nor_list_is_told_of_list() -> None:
    said = 'agents.lmos.eclipse is forbidden: User "x" cannot {} resource "agents" in API group "lmos.eclipse"'
    script = Script(status(403, said.format("watch")), status(403, said.format("list")))
    with pytest.raises(Forbidden, match="grant the verb 'list'"):
        await store(script).list("Agent", "default")


async def test_another_refusal_of_a_stream_is_an_error() -> None:
    with pytest.raises(Invalid, match="unable to parse"):
        await store(Script(status(400, "unable to parse requirement", "BadRequest"))).list("Agent", "default")


async def test_a_list_in_chunks_begins_again_when_its_token_expires() -> None:
    script = Script(REFUSED, chunk("gone", more="m1"), EXPIRED, chunk("a", more="m2"), chunk("b"))
    assert names(await store(script).list("Agent", "default")) == ["a", "b"]
    assert "continue" not in script.asked[3].query


async def test_a_list_whose_tokens_keep_expiring_is_an_error() -> None:
    script = Script(REFUSED, *[chunk("a", more="m"), EXPIRED] * 3)
    with pytest.raises(ResourceExpired, match="too old; list again"):
        await store(script).list("Agent", "default")


async def test_an_unreadable_object_hides_no_other() -> None:
    broken = raw_agent("broken", 8, {"providedCapabilities": [{"name": "x"}]})
    lines = Lines([event("ADDED", broken), *streamed("a").items])
    with capture_logs() as logs:
        assert names(await store(Script(lines)).list("Agent", "default")) == ["a"]
    assert [(line["event"], line["field"]) for line in logs] == [
        (reasons.EVENT_UNREADABLE, "spec.providedCapabilities.0.version")
    ]


async def test_an_unreadable_object_that_is_asked_for_is_an_error() -> None:
    broken = Answer(200, orjson.dumps(raw_agent("broken", 8, {"description": 5})))
    with pytest.raises(StoreError, match=r"agent/broken \(namespace default\) cannot be read: spec.description"):
        await store(Script(broken)).get("Agent", "default", "broken")


@pytest.mark.parametrize("selector", [{"a": "b,c=d"}, {"a": "b c"}, {"!a": "b"}, {"a": "(b)"}])
async def test_a_selector_that_would_mean_something_else_is_refused(selector: dict[str, str]) -> None:
    with pytest.raises(StoreError, match="correct the selector"):
        await store(Script()).list("Agent", "default", selector)


async def test_a_missing_namespace_is_no_missing_object() -> None:
    with pytest.raises(NotFound):
        await store(Script(status(404, 'namespaces "x" not found', "NotFound", kind="namespaces"))).list("Agent", "x")


async def test_whoever_wants_to_know_is_told_of_unreadable_objects() -> None:
    told: list[tuple[str, str, str]] = []
    lines = Lines([event("ADDED", raw_agent("broken", 8, {"description": 5})), *streamed("a").items])
    asked = KubernetesStore(
        Client(Script(lines)),
        on_unreadable=lambda kind, raw, fault: told.append((kind, raw["metadata"]["name"], fault.field)),
    )
    assert names(await asked.list("Agent", "default")) == ["a"]
    assert told == [("Agent", "broken", "spec.description")]
