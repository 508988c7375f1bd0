"""Watches that go wrong, and those that end as they should. Time is virtual."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import looptime
import orjson
import pytest
from structlog.testing import capture_logs

from lmos.operator import reasons
from lmos.operator.base import ALL_NAMESPACES, ResourceExpired, StoreError, WatchEvent
from lmos.operator.kubernetes.client import Client
from lmos.operator.kubernetes.errors import Forbidden
from lmos.operator.kubernetes.store import KubernetesStore
from lmos.operator.kubernetes.transport import Answer, TransportError, Unreachable
from lmos.resources.agent import Agent
from lmos.resources.base import ObjectMeta
from tests.operator.kubernetes.scripted import Lines, Script, event, raw_agent, status

pytestmark = pytest.mark.anyio

BROKEN = TransportError("the connection broke")
END = Unreachable("the script is over")


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


def store(script: Script, *, stall: float = 75.0) -> KubernetesStore:
    return KubernetesStore(Client(script, jitter=lambda: 0.0), stall=stall, jitter=lambda: 0.5)


async def told(watch: AsyncGenerator[WatchEvent]) -> tuple[list[tuple[str, str]], StoreError | None]:
    """Type and version of each event, and what the watch ended with."""
    found: list[tuple[str, str]] = []
    try:
        async with aclosing(watch):
            async for one in watch:
                found.append((one.type, one.resource_version))
    except StoreError as error:
        return found, error
    return found, None


def bookmark(version: int) -> bytes:
    return event("BOOKMARK", {"kind": "Agent", "metadata": {"resourceVersion": str(version)}})


def added(name: str, version: int) -> bytes:
    return event("ADDED", raw_agent(name, version))


async def test_a_watch_asks_for_bookmarks_from_a_version_and_for_an_end() -> None:
    script = Script(END)
    await told(store(script).watch("Agent", "team", "7"))
    (asked,) = script.asked
    assert asked.path == "/apis/lmos.eclipse/v1/namespaces/team/agents"
    assert asked.query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "7",
        "timeoutSeconds": "450",
    }


async def test_a_watch_of_foreign_objects_asks_only_for_those_of_agents() -> None:
    script = Script(END)
    await told(store(script).watch("Deployment", ALL_NAMESPACES, "7"))
    assert script.asked[0].path == "/apis/apps/v1/deployments"
    assert script.asked[0].query["labelSelector"] == "lmos-agent=true"


async def test_a_watch_that_the_server_ends_goes_on_where_it_was() -> None:
    script = Script(Lines([added("a", 8), bookmark(9), 70.0]), Lines([added("b", 10), 70.0]), END)
    found, error = await told(store(script).watch("Agent", "default", "7"))
    assert found == [("added", "8"), ("bookmark", "9"), ("added", "10")]
    assert error is END
    assert [asked.query["resourceVersion"] for asked in script.asked] == ["7", "9", "10"]
    assert script.pauses == [70.0, 70.0]


async def test_a_watch_that_the_server_ends_at_once_ends() -> None:
    script = Script(Lines([added("a", 8)]))
    assert await told(store(script).watch("Agent", "default", "7")) == ([("added", "8")], None)


async def test_a_silent_watch_is_begun_again_where_it_was_and_says_so() -> None:
    script = Script(Lines([added("a", 8), 60.0, bookmark(9), 1000.0]), Lines([1000.0]), END)
    found, _ = await told(store(script).watch("Agent", "default", "7"))
    assert found == [("added", "8"), ("bookmark", "9"), ("bookmark", "9")]
    assert script.pauses == [135.0, 75.0]
    assert script.asked[1].query["resourceVersion"] == "9"
    assert script.left == 2


async def test_a_server_that_does_not_answer_after_a_silence_is_not_said_to_live() -> None:
    script = Script(Lines([1000.0]), END)
    assert await told(store(script).watch("Agent", "default", "7")) == ([], END)


async def test_how_long_a_watch_may_be_silent_can_be_set() -> None:
    script = Script(Lines([1000.0]), END)
    await told(store(script, stall=5.0).watch("Agent", "default", "7"))
    assert script.pauses == [5.0]


@pytest.mark.parametrize(
    "last",
    [
        added("b", 9)[:40],
        b"{}",
        b"[]",
        b'{"type":"ADDED"}',
        b'{"type":"ADDED","object":{}}',
        b'{"type":"SURPRISE","object":{"metadata":{}}}',
        b"\xff\xfe",
        b"",
    ],
)
async def test_a_line_that_is_no_event_ends_the_watch_behind_the_last_good_one(last: bytes) -> None:
    script = Script(Lines([added("a", 8), last, added("c", 10)]))
    found, error = await told(store(script).watch("Agent", "default", "7"))
    assert found == [("added", "8")]
    assert isinstance(error, TransportError)
    assert "sent what is no event" in str(error)


async def test_a_connection_that_breaks_is_an_error_of_the_store() -> None:
    found, error = await told(store(Script(Lines([added("a", 8), BROKEN]))).watch("Agent", "default", "7"))
    assert (found, error) == ([("added", "8")], BROKEN)


async def test_a_version_that_is_too_old_is_told_by_an_event() -> None:
    expired: dict[str, Any] = {
        "kind": "Status",
        "metadata": {},
        "code": 410,
        "message": "too old resource version: 7 (9)",
    }
    _, error = await told(store(Script(Lines([event("ERROR", expired)]))).watch("Agent", "default", "7"))
    assert isinstance(error, ResourceExpired)
    assert str(error) == "too old resource version: 7 (9); list again"


async def test_a_version_that_is_too_old_is_told_by_a_refusal() -> None:
    script = Script(status(410, "too old", "Expired"))
    _, error = await told(store(script).watch("Agent", "default", "7"))
    assert isinstance(error, ResourceExpired)


@pytest.mark.parametrize("code", [400, 403, 500, 504])
async def test_any_other_error_event_is_an_error_of_the_store(code: int) -> None:
    failed: dict[str, Any] = {"kind": "Status", "metadata": {}, "code": code, "message": "etcd is away"}
    _, error = await told(store(Script(Lines([event("ERROR", failed)]))).watch("Agent", "default", "7"))
    assert isinstance(error, StoreError)
    assert not isinstance(error, ResourceExpired)
    assert "etcd is away" in str(error)


async def test_a_watch_that_is_not_allowed_says_which_verb_is_missing() -> None:
    said = 'agents.lmos.eclipse is forbidden: User "x" cannot watch resource "agents" in API group "lmos.eclipse"'
    _, error = await told(store(Script(status(403, said, "Forbidden"))).watch("Agent", "default", "7"))
    assert isinstance(error, Forbidden)
    assert "grant the verb 'watch' on 'agents' of the API group 'lmos.eclipse'" in str(error)


async def test_a_busy_server_is_asked_for_a_watch_again() -> None:
    script = Script(status(429, headers={"retry-after": "2"}), Lines([added("a", 8)]), END)
    found, _ = await told(store(script).watch("Agent", "default", "7"))
    assert found == [("added", "8")]
    assert script.pauses[0] == 2.0


async def test_an_object_that_becomes_unreadable_is_told_as_deleted_and_logged_once() -> None:
    broken = raw_agent("a", 9, {"description": 5})
    again = broken | {"metadata": {**broken["metadata"], "resourceVersion": "10"}}
    script = Script(Lines([added("a", 8), event("MODIFIED", broken), event("MODIFIED", again), added("b", 11)]))
    with capture_logs() as logs:
        found, _ = await told(store(script).watch("Agent", "default", "7"))
    assert found == [("added", "8"), ("deleted", "9"), ("deleted", "10"), ("added", "11")]
    (line,) = logs
    assert line["event"] == reasons.EVENT_UNREADABLE
    assert (line["kind"], line["namespace"], line["object"], line["field"]) == (
        "Agent",
        "default",
        "a",
        "spec.description",
    )
    assert "kubectl edit agents.lmos.eclipse a -n default" in line["error"]


async def test_a_deleted_event_of_an_unreadable_object_names_it() -> None:
    script = Script(Lines([event("DELETED", raw_agent("a", 9, {"description": 5}))]))
    events = store(script).watch("Agent", "default", "7")
    one = await anext(events)
    await events.aclose()
    assert one.type == "deleted"
    assert one.resource is not None
    assert (one.resource.metadata.namespace, one.resource.metadata.name) == ("default", "a")


async def test_a_field_of_a_newer_version_is_left_out_and_logged_once() -> None:
    newer = {"description": "d", "colour": "red"}
    script = Script(Lines([event("ADDED", raw_agent(name, 8, newer)) for name in "ab"]))
    with capture_logs() as logs:
        found, _ = await told(store(script).watch("Agent", "default", "7"))
    assert [change for change, _ in found] == ["added", "added"]
    assert [(line["event"], line["field"]) for line in logs] == [(reasons.EVENT_UNKNOWN_FIELD, "spec.colour")]


async def test_what_others_manage_is_not_kept() -> None:
    raw = raw_agent("a", 8, managedFields=[{"manager": "kubectl", "operation": "Apply"}])
    events = store(Script(Lines([event("ADDED", raw)]))).watch("Agent", "default", "7")
    one = await anext(events)
    await events.aclose()
    assert one.resource is not None
    assert one.resource.metadata.managed_fields == ()


async def test_a_watch_that_is_left_drops_its_connection() -> None:
    script = Script(Lines([added("a", 8), 1000.0]))
    async with aclosing(store(script).watch("Agent", "default", "7")) as events:
        await anext(events)
        assert script.left == 0
    assert script.left == 1


async def test_a_watch_of_a_kind_that_is_not_installed_says_how_to_install_it() -> None:
    _, error = await told(store(Script(Answer(404, b"404 page not found\n"))).watch("Agent", "default", "7"))
    assert str(error).endswith("lmos crds | kubectl apply --server-side -f -")


async def test_what_was_read_of_a_write_is_not_read_again_when_the_watch_tells_of_it() -> None:
    theirs = raw_agent("a", 9, {"description": "theirs"})
    script = Script(
        Answer(200, orjson.dumps(raw_agent("a", 8))),
        Lines([event("MODIFIED", raw_agent("a", 8)), event("MODIFIED", theirs)]),
    )
    used = store(script)
    written = await used.apply(Agent(metadata=ObjectMeta(name="a")), field_manager="m")
    events = used.watch("Agent", "default", "7")
    first, second = await anext(events), await anext(events)
    await events.aclose()
    assert first.resource is written
    assert isinstance(second.resource, Agent)
    assert second.resource.spec.description == "theirs"
