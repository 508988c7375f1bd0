"""Reading an operator from afar, on real sockets: lists, watches, and what an operator of Eclipse LMOS can tell."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from lmos.operator import reasons
from lmos.operator.base import ResourceExpired, StoreError, WatchEvent
from lmos.operator.remote import RemoteOperator
from lmos.resources.channel import Channel
from lmos.testing import serving
from tests.operator.builders import LABELS, channel
from tests.operator.remote_operators import OriginalOperator, OurOperator, channel_routing

pytestmark = pytest.mark.anyio

WEB = channel(("bill", "*"), name="web")
ROUTING = channel_routing("web", "billing")
LABELLED = {"tenant": "acme", "channel": "web", "subset": "stable"}


@pytest.fixture
async def operator() -> OurOperator:
    return OurOperator()


@pytest.fixture
async def reader(operator: OurOperator) -> AsyncGenerator[RemoteOperator]:
    async with serving(operator.app) as url, RemoteOperator(url) as reader:
        yield reader
        operator.catalog.close()


async def take(events: AsyncGenerator[WatchEvent, None], count: int) -> list[tuple[str, str, str]]:
    """Type, version and name of the next `count` events that are no bookmarks."""
    told: list[tuple[str, str, str]] = []
    while len(told) < count:
        event = await anext(events)
        if event.resource is not None:
            told.append((event.type, event.resource_version, event.resource.metadata.name))
    return told


async def test_a_list_is_that_of_the_operator(operator: OurOperator, reader: RemoteOperator) -> None:
    operator.put(WEB)
    operator.put(channel(("bill", "*"), name="app", labels=LABELS | {"channel": "app"}))
    listing = await reader.list("Channel", "default")
    assert [item.metadata.name for item in listing.items] == ["app", "web"]
    assert isinstance(listing.items[1], Channel)
    assert (listing.items[1].spec, listing.items[1].metadata.labels) == (WEB.spec, WEB.metadata.labels)
    assert listing.resource_version == "12"
    assert reader.watchable is True


async def test_a_selector_takes_objects_that_have_all_its_labels(operator: OurOperator, reader: RemoteOperator) -> None:
    operator.put(WEB)
    operator.put(channel(("bill", "*"), name="app", labels=LABELS | {"channel": "app"}))
    listing = await reader.list("Channel", "default", {"channel": "app"})
    assert [item.metadata.name for item in listing.items] == ["app"]


async def test_a_watch_tells_what_happens(operator: OurOperator, reader: RemoteOperator) -> None:
    since = (await reader.list("ChannelRouting", "default")).resource_version
    async with aclosing(reader.watch("ChannelRouting", "default", since)) as events:
        first = asyncio.create_task(take(events, 3))
        await asyncio.sleep(0.05)
        operator.put(ROUTING)
        operator.put(channel_routing("web", "contract"))
        operator.remove(ROUTING)
        assert await first == [("modified", "11", "web"), ("modified", "12", "web"), ("deleted", "13", "web")]


async def test_a_watch_begins_with_what_was_missed(operator: OurOperator, reader: RemoteOperator) -> None:
    operator.put(ROUTING)
    async with aclosing(reader.watch("ChannelRouting", "default", "10")) as events:
        assert await take(events, 1) == [("modified", "11", "web")]


async def test_texts_with_any_line_separator_arrive_whole(operator: OurOperator, reader: RemoteOperator) -> None:
    text = "a\u2028b\u0085c\r\nd\n\ne: f"
    operator.put(ROUTING.model_copy(update={"spec": channel_routing("web", text).spec}))
    async with aclosing(reader.watch("ChannelRouting", "default", "10")) as events:
        while (event := await anext(events)).resource is None:
            pass
    assert event.resource.to_wire()["spec"]["capabilityGroups"][0]["name"] == text


async def test_a_version_that_is_not_kept_any_more_has_expired(operator: OurOperator, reader: RemoteOperator) -> None:
    operator.forget()
    with pytest.raises(ResourceExpired, match="list again"):
        await anext(reader.watch("Channel", "default", "9"))


async def test_a_watch_that_is_told_to_list_again_has_expired(operator: OurOperator, reader: RemoteOperator) -> None:
    async with aclosing(reader.watch("Channel", "default", "10")) as events:
        await anext(events)
        operator.forget()
        with pytest.raises(ResourceExpired, match="list again"):
            await anext(events)


async def test_a_watch_ends_when_the_operator_stops(operator: OurOperator, reader: RemoteOperator) -> None:
    async with aclosing(reader.watch("Channel", "default", "10")) as events:
        await anext(events)
        operator.catalog.close()
        assert [event async for event in events] == []


async def test_a_namespace_that_the_operator_does_not_watch_is_an_error_that_says_so(reader: RemoteOperator) -> None:
    with pytest.raises(StoreError, match="namespace 'far' is not watched here"):
        await reader.list("Channel", "far")
    with pytest.raises(StoreError, match="namespace 'far' is not watched here"):
        await anext(reader.watch("Channel", "far", "10"))


async def test_single_questions_are_answered(operator: OurOperator, reader: RemoteOperator) -> None:
    operator.put(WEB)
    operator.put(ROUTING)
    for kind in ("Channel", "ChannelRouting"):
        (found,) = (await reader.ask(kind, "default", LABELLED)).items
        assert (found.KIND, found.metadata.name) == (kind, "web")
    of_tenant = {"tenant": "acme", "subset": "stable"}
    assert len((await reader.ask("Channel", "default", of_tenant)).items) == 1
    assert (await reader.ask("Channel", "default", LABELLED | {"channel": "nowhere"})).items == ()


async def test_names_in_questions_are_quoted(operator: OurOperator, reader: RemoteOperator) -> None:
    operator.put(channel(("bill", "*"), name="odd", labels=LABELS | {"channel": "a b%c"}))
    (found,) = (await reader.ask("Channel", "default", LABELLED | {"channel": "a b%c"})).items
    assert found.metadata.name == "odd"


async def test_what_a_newer_operator_adds_is_left_out_and_what_is_unreadable_is_absent() -> None:
    newer = channel_routing("new", "billing").to_wire()
    newer["spec"]["mood"] = newer["metadata"]["mood"] = "good"
    broken = channel_routing("broken", "billing").to_wire()
    broken["spec"]["capabilityGroups"][0].pop("name")

    async def listed(_request: Request) -> Response:
        return JSONResponse({"metadata": {"resourceVersion": "5"}, "items": [newer, broken]})

    with capture_logs() as logs:
        async with running("/apis/v1/channelroutings", listed) as reader:
            listings = [await reader.list("ChannelRouting", "default") for _ in range(2)]
    assert [[item.metadata.name for item in listing.items] for listing in listings] == [["new"]] * 2
    told = [line for line in logs if line["event"] == reasons.EVENT_UNREADABLE]
    assert [(line["object"], line["field"]) for line in told] == [("broken", "spec.capabilityGroups.0.name")]


async def test_an_object_that_becomes_unreadable_is_told_as_deleted() -> None:
    broken = channel_routing("broken", "billing", version=6).to_wire()
    broken["spec"] = 1

    async def watched(_request: Request) -> Response:
        return sse(f"id: 6\nevent: modified\ndata: {json.dumps(broken)}\n\n")

    async with running("/apis/v1/channelroutings/watch", watched) as reader:
        assert await take(reader.watch("ChannelRouting", "default", "5"), 1) == [("deleted", "6", "broken")]


@pytest.mark.parametrize(
    "text",
    [
        "event: modified\ndata: {\n\n",
        "event: modified\ndata: []\n\n",
        "event: deleted\ndata: {}\n\n",
        "event: bookmark\n\n",
        "event: party\ndata: {}\n\n",
    ],
    ids=["no-json", "no-object", "no-metadata", "no-data", "unknown"],
)
async def test_what_is_no_event_ends_the_watch(text: str) -> None:
    async def watched(_request: Request) -> Response:
        return sse(text)

    async with running("/apis/v1/channels/watch", watched) as reader:
        with pytest.raises(StoreError, match="which is no event"):
            await anext(reader.watch("Channel", "default", "5"))


async def test_half_an_event_at_the_end_is_not_told() -> None:
    async def watched(_request: Request) -> Response:
        return sse('event: bookmark\ndata: {"resourceVersion":"7"}\n\nevent: bookmark\ndata: {"resourceVer')

    async with running("/apis/v1/channels/watch", watched) as reader:
        events = [event async for event in reader.watch("Channel", "default", "5")]
    assert [event.resource_version for event in events] == ["7"]


async def test_a_silent_watch_is_broken_off() -> None:
    async def silent() -> AsyncGenerator[str]:
        yield ": hello\n\n"
        await asyncio.sleep(20)

    async def watched(_request: Request) -> Response:
        return StreamingResponse(silent(), media_type="text/event-stream")

    async with running("/apis/v1/channels/watch", watched, silence=0.2) as reader:
        with pytest.raises(StoreError, match=r"silent for 0\.2 s"):
            await anext(reader.watch("Channel", "default", "5"))


async def test_an_operator_of_eclipse_lmos_is_asked_and_not_watched() -> None:
    original = OriginalOperator(WEB.with_meta(resource_version="1"), ROUTING)
    async with serving(original.app) as url, RemoteOperator(url, ask_again=0.01) as reader:
        waiting = asyncio.create_task(reader.list("ChannelRouting", "default"))
        await asyncio.sleep(0.2)
        assert reader.watchable is False
        assert not waiting.done()
        assert original.asked.count("/apis/v1/channelroutings") > 1
        (found,) = (await reader.ask("ChannelRouting", "default", LABELLED)).items
        assert found.metadata.name == "web"
        assert (await reader.ask("ChannelRouting", "default", LABELLED | {"channel": "app"})).items == ()
        with pytest.raises(ResourceExpired, match="cannot be watched"):
            await anext(reader.watch("Channel", "default", "5"))
        waiting.cancel()


async def test_what_is_no_operator_is_an_error_that_names_the_setting() -> None:
    async def page(_request: Request) -> Response:
        return PlainTextResponse("<html>not here</html>", 404)

    async with running("/{path:path}", page) as reader:
        with pytest.raises(StoreError, match="as no operator does; correct LMOS_OPERATOR_URL"):
            await reader.list("Channel", "default")
        with pytest.raises(StoreError, match="as no operator does"):
            await reader.ask("Channel", "default", LABELLED)
    assert reader.watchable is None


async def test_an_operator_that_is_not_ready_is_an_error_that_says_so() -> None:
    async def starting(_request: Request) -> Response:
        return JSONResponse({"error": "Channel objects were not listed yet"}, 503)

    async with running("/{path:path}", starting) as reader:
        with pytest.raises(StoreError, match=r"answers 503: .*were not listed yet"):
            await reader.list("Channel", "default")


async def test_an_operator_that_is_away_is_an_error_that_names_it() -> None:
    async with serving(Starlette()) as url:
        pass
    async with RemoteOperator(url) as reader:
        for read in (reader.list("Channel", "default"), anext(reader.watch("Channel", "default", "1"))):
            with pytest.raises(StoreError, match=f"the operator at {url} cannot be reached"):
                await read


@pytest.mark.parametrize("url", ["", "operator:8080", "ftp://operator", "http://", "http://a:b"])
async def test_what_is_no_url_is_an_error(url: str) -> None:
    with pytest.raises(StoreError, match="is no base URL of an operator"):
        RemoteOperator(url)


def sse(text: str) -> Response:
    return Response(text, media_type="text/event-stream")


@asynccontextmanager
async def running(
    path: str, endpoint: Callable[[Request], Awaitable[Response]], **options: float
) -> AsyncGenerator[RemoteOperator]:
    """A reader of one endpoint on a socket."""
    app = Starlette(routes=[Route(path, endpoint)])
    async with serving(app) as url, RemoteOperator(url, **options) as reader:
        yield reader
