"""Lists and watches of the operator's REST API, in virtual time: what followers get, and when they are sent away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import looptime
import pytest
from starlette.applications import Starlette

from lmos.operator.base import Listing, WatchEvent
from lmos.operator.cache import Cache
from lmos.operator.catalog import BY_LABELS, Catalog
from lmos.operator.watch_api import HEARTBEAT_SECONDS, watch_routes
from lmos.resources.base import OwnerReference
from lmos.resources.channel import Channel
from lmos.resources.routing import ChannelRouting
from tests.operator.builders import channel

pytestmark = pytest.mark.anyio

Frame = dict[str, str]


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


class Operator:
    """A catalog whose kinds were listed at version 10, and its API. `tell` is what a watch of the store would tell."""

    def __init__(self, scope: str = "default", *, listed: bool = True) -> None:
        self.channels = Cache(Channel, BY_LABELS)
        self.routings = Cache(ChannelRouting, BY_LABELS)
        self.catalog = Catalog(self.channels, self.routings)
        self.feeds = {kind: self.catalog.feed(kind, scope) for kind in ("Channel", "ChannelRouting")}
        if listed:
            for feed in self.feeds.values():
                feed.listed(Listing((), "10"), vanished=False)
        self.app = Starlette(routes=watch_routes(self.catalog))

    def tell(
        self,
        version: int,
        name: str = "web",
        change: Literal["added", "modified", "deleted"] = "added",
        namespace: str = "default",
    ) -> None:
        told = channel(("bill", "*"), name=name, namespace=namespace).with_meta(resource_version=str(version))
        if change == "deleted":
            news = self.channels.remove((namespace, name), version) is not None
        else:
            news = self.channels.put(told) is not None
        self.feeds["Channel"].told(WatchEvent(change, str(version), told), news=news)

    def bookmark(self, version: int) -> None:
        self.feeds["Channel"].told(WatchEvent("bookmark", str(version)), news=False)


class Answer:
    """What came of one request so far. While `taking` is not set, the client takes nothing."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.ended = False
        self.taking = asyncio.Event()
        self.taking.set()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.taking.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")
            self.ended = not message.get("more_body", False)

    def json(self) -> Any:
        return json.loads(self.body)

    def frames(self) -> list[Frame]:
        """Those that have come since the last call."""
        body, self.body = self.body, b""
        assert body.endswith(b"\n\n") or not body
        return [_frame(text) for text in body.decode().split("\n\n") if text]

    def told(self) -> list[tuple[str, str, str]]:
        """Event, id and name of the object in each new frame that is no comment."""
        return [
            (frame["event"], frame.get("id", ""), json.loads(frame["data"]).get("metadata", {}).get("name", ""))
            for frame in self.frames()
            if "event" in frame
        ]


def _frame(text: str) -> Frame:
    return {part[0] or "comment": part[2] for part in (line.partition(": ") for line in text.split("\n"))}


@asynccontextmanager
async def asking(
    operator: Operator, path: str, *, method: str = "GET", headers: dict[str, str] | None = None
) -> AsyncGenerator[Answer]:
    """A request that goes on for the body of the context."""
    answer, left = Answer(), asyncio.Event()
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
    }

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    task = asyncio.create_task(operator.app(scope, receive, answer.send))
    await _turns()
    try:
        yield answer
    finally:
        left.set()
        await task


async def _turns() -> None:
    """Let everybody do what can be done at once."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_list_has_the_objects_of_a_namespace_and_where_to_watch_from() -> None:
    operator = Operator("*")
    operator.tell(11, "web")
    operator.tell(12, "app")
    operator.tell(13, "far", namespace="elsewhere")
    async with asking(operator, "/apis/v1/channels") as answer:
        document = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert (document["apiVersion"], document["kind"]) == ("lmos.eclipse/v1", "ChannelList")
    assert document["metadata"] == {"resourceVersion": "13"}
    assert [item["metadata"]["name"] for item in document["items"]] == ["app", "web"]


async def test_a_long_list_is_sent_in_pieces_that_fit_together() -> None:
    operator = Operator()
    for number in range(250):
        operator.tell(11 + number, f"c{number:03}")
    async with asking(operator, "/apis/v1/channels") as answer:
        assert [item["metadata"]["name"] for item in answer.json()["items"]] == [f"c{n:03}" for n in range(250)]


async def test_an_empty_list_is_a_list() -> None:
    async with asking(Operator(), "/apis/v1/channelroutings") as answer:
        assert answer.json() == {
            "apiVersion": "lmos.eclipse/v1",
            "kind": "ChannelRoutingList",
            "metadata": {"resourceVersion": "10"},
            "items": [],
        }


async def test_objects_are_written_as_the_other_calls_write_them() -> None:
    operator = Operator()
    owner = OwnerReference(kind="Channel", name="web", uid="u")
    routing = ChannelRouting.model_validate({"metadata": {"name": "web", "resourceVersion": "11"}})
    operator.routings.put(routing.with_meta(owner_references=(owner,), annotations={"a": "b"}))
    async with asking(operator, "/apis/v1/channelroutings") as answer:
        (item,) = answer.json()["items"]
    assert item["metadata"] == {"name": "web", "namespace": "default", "resourceVersion": "11"}


async def test_a_watch_tells_its_position_then_each_change() -> None:
    operator = Operator()
    async with asking(operator, "/apis/v1/channels/watch?since=10") as watch:
        assert watch.headers["content-type"].startswith("text/event-stream")
        assert watch.told() == [("bookmark", "10", "")]
        operator.tell(11, "web")
        operator.tell(12, "app")
        operator.tell(13, "web", "deleted")
        await _turns()
        assert watch.told() == [("added", "11", "web"), ("added", "12", "app"), ("deleted", "13", "web")]


async def test_of_a_deleted_object_only_the_metadata_are_told() -> None:
    operator = Operator()
    operator.tell(11)
    async with asking(operator, "/apis/v1/channels/watch?since=11") as watch:
        operator.tell(12, change="deleted")
        await _turns()
        assert json.loads(watch.frames()[-1]["data"]) == {
            "apiVersion": "lmos.eclipse/v1",
            "kind": "Channel",
            "metadata": {"name": "web", "namespace": "default", "resourceVersion": "12"},
        }


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/apis/v1/channels/watch?since=11", {}),
        ("/apis/v1/channels/watch?since=10", {"last-event-id": "11"}),
        ("/apis/v1/channels/watch", {"last-event-id": "11"}),
    ],
    ids=["since", "last-event-id-wins", "last-event-id"],
)
async def test_a_watch_resumes_where_it_was(path: str, headers: dict[str, str]) -> None:
    operator = Operator()
    operator.tell(11, "known")
    operator.tell(12, "missed")
    async with asking(operator, path, headers=headers) as watch:
        assert ("added", "12", "missed") in watch.told()


async def test_a_watch_from_nowhere_begins_with_what_is_there() -> None:
    operator = Operator()
    operator.tell(11, "web")
    async with asking(operator, "/apis/v1/channels/watch") as watch:
        assert watch.told() == [("added", "", "web"), ("bookmark", "11", "")]
        operator.tell(12, "app")
        await _turns()
        assert watch.told() == [("added", "12", "app")]


async def test_a_watch_tells_only_of_its_namespace() -> None:
    operator = Operator("*")
    async with asking(operator, "/apis/v1/channels/watch?since=10", headers={"x-namespace": "team"}) as watch:
        watch.frames()
        operator.tell(11, "web")
        operator.tell(12, "app", namespace="team")
        await _turns()
        assert watch.told() == [("added", "12", "app")]


async def test_a_silent_watch_says_every_fifteen_seconds_that_it_lives() -> None:
    async with asking(Operator(), "/apis/v1/channels/watch?since=10") as watch:
        watch.frames()
        await asyncio.sleep(HEARTBEAT_SECONDS * 3 + 1)
        assert watch.frames() == [{"comment": "nothing new"}] * 3


async def test_news_of_other_namespaces_moves_the_position_with_the_next_heartbeat() -> None:
    operator = Operator("*")
    async with asking(operator, "/apis/v1/channels/watch?since=10", headers={"x-namespace": "team"}) as watch:
        watch.frames()
        for version in range(11, 45):
            operator.tell(version)
            await asyncio.sleep(1)
        assert [event for event, _, _ in watch.told()] == ["bookmark", "bookmark"]


async def test_a_bookmark_of_the_store_is_passed_on() -> None:
    operator = Operator()
    async with asking(operator, "/apis/v1/channels/watch?since=10") as watch:
        watch.frames()
        operator.bookmark(99)
        await asyncio.sleep(HEARTBEAT_SECONDS + 1)
        assert watch.told() == [("bookmark", "99", "")]


async def test_a_version_that_is_not_kept_any_more_is_410() -> None:
    async with asking(Operator(), "/apis/v1/channels/watch?since=9") as answer:
        assert answer.status == 410
        assert "list again" in answer.json()["error"]


async def test_after_a_gap_in_which_something_vanished_a_watch_is_told_to_list_again() -> None:
    operator = Operator()
    async with asking(operator, "/apis/v1/channels/watch?since=10") as watch:
        watch.frames()
        operator.feeds["Channel"].listed(Listing((), "20"), vanished=True)
        await _turns()
        assert watch.told() == [("expired", "", "")]
        assert watch.ended


async def test_a_follower_that_takes_nothing_is_not_buffered_for_and_lists_again_when_it_wakes_up() -> None:
    operator = Operator()
    async with asking(operator, "/apis/v1/channels/watch?since=10") as watch:
        watch.frames()
        watch.taking.clear()
        for version in range(11, 5000):
            operator.tell(version)
        await _turns()
        watch.taking.set()
        await _turns()
        told = watch.told()
        assert told[-1] == ("expired", "", "")
        assert len(told) <= 101
        assert watch.ended


async def test_a_follower_that_lags_gets_all_that_is_kept() -> None:
    operator = Operator()
    async with asking(operator, "/apis/v1/channels/watch?since=10") as watch:
        watch.frames()
        watch.taking.clear()
        for version in range(11, 511):
            operator.tell(version)
        await _turns()
        watch.taking.set()
        await _turns()
        assert [frame["id"] for frame in watch.frames()] == [str(version) for version in range(11, 511)]


async def test_a_follower_from_a_replica_that_is_ahead_waits_for_this_one() -> None:
    operator = Operator()
    async with asking(operator, "/apis/v1/channels/watch?since=12") as watch:
        watch.frames()
        operator.tell(11, "known")
        operator.tell(13, "new")
        await _turns()
        assert watch.told() == [("added", "13", "new")]


async def test_a_version_that_never_comes_is_of_another_time() -> None:
    async with asking(Operator(), "/apis/v1/channels/watch?since=999") as watch:
        await asyncio.sleep(300)
        assert watch.told()[-1] == ("expired", "", "")
        assert watch.ended


async def test_watches_end_when_the_process_stops() -> None:
    operator = Operator()
    async with asking(operator, "/apis/v1/channels/watch?since=10") as watch:
        operator.catalog.close()
        await _turns()
        assert watch.ended


async def test_a_client_that_leaves_ends_its_watch() -> None:
    async with asyncio.timeout(1), asking(Operator(), "/apis/v1/channels/watch?since=10") as watch:
        assert not watch.ended


@pytest.mark.parametrize("path", ["/apis/v1/channels", "/apis/v1/channels/watch?since=10"])
async def test_before_the_kind_is_listed_the_answer_is_503_and_not_nothing(path: str) -> None:
    async with asking(Operator(listed=False), path) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert "not listed yet" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/apis/v1/channels", "/apis/v1/channels/watch?since=10"])
@pytest.mark.parametrize("namespace", ["far", "*"])
async def test_a_namespace_that_is_not_watched_is_404_and_says_so(path: str, namespace: str) -> None:
    async with asking(Operator(), path, headers={"x-namespace": namespace}) as answer:
        assert answer.status == 404
        assert "namespace" in answer.json()["error"]


@pytest.mark.parametrize("since", ["", "-1", "1.5", "latest", "١"])
async def test_what_is_no_version_is_400(since: str) -> None:
    async with asking(Operator(), f"/apis/v1/channels/watch?since={since}") as answer:
        assert answer.status == 400
        assert "is no resource version" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/apis/v1/channels", "/apis/v1/channels/watch"])
async def test_head_is_answered_at_once(path: str) -> None:
    async with asking(Operator(), path, method="HEAD") as answer:
        assert (answer.status, answer.body, answer.ended) == (200, b"", True)
