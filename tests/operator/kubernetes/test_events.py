"""Events: written later, counted when they repeat, dropped when there are too many. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import looptime
import orjson
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from lmos.operator import metrics, reasons
from lmos.operator.kubernetes.client import Client
from lmos.operator.kubernetes.events import SERIES_SECONDS, KubernetesRecorder
from lmos.operator.kubernetes.transport import Answer, Stream
from lmos.resources.agent import Agent
from lmos.testing.clock import VirtualClock
from tests.operator.builders import agent

pytestmark = pytest.mark.anyio

BILLING = agent("billing").with_meta(uid="u-1", resource_version="7")
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


@dataclass
class ApiServer:
    """A `Transport` that takes all events, unless told otherwise."""

    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list[tuple[str, str, dict[str, Any]]])
    statuses: dict[str, int] = field(default_factory=dict[str, int])
    """Status by method; 200 where there is none."""
    delay: float = 0.0

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        await asyncio.sleep(self.delay)
        self.requests.append((method, path, orjson.loads(body or b"{}")))
        status = self.statuses.get(method, 200)
        told = (
            {} if status < 400 else {"kind": "Status", "code": status, "message": "no", "details": {"kind": "events"}}
        )
        return Answer(status, orjson.dumps(told))

    def stream(self, path: str, *, query: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[Stream]:
        raise AssertionError("events are not watched")

    async def aclose(self) -> NoReturn:
        raise AssertionError("the client belongs to whoever made it")


@asynccontextmanager
async def recording(server: ApiServer, **options: Any) -> AsyncGenerator[KubernetesRecorder]:
    async with KubernetesRecorder(Client(server), VirtualClock(), identity="operator-0", **options) as recorder:
        yield recorder


def unreachable(recorder: KubernetesRecorder, about: Agent = BILLING, message: str = "no answer") -> None:
    recorder.record(about, "Warning", reasons.UNREACHABLE, reasons.ACTION_DISCOVER, message)


def counted(result: str) -> float:
    return REGISTRY.get_sample_value("lmos_operator_events_total", {"result": result}) or 0.0


async def test_an_event_says_what_happened_to_which_object() -> None:
    server = ApiServer()
    async with recording(server) as recorder:
        unreachable(recorder)
    assert server.requests == [
        (
            "POST",
            EVENTS,
            {
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {"name": "billing.8000000000000001", "namespace": "default"},
                "eventTime": "2026-11-25T09:00:00.000000Z",
                "reportingController": "lmos.eclipse/operator",
                "reportingInstance": "operator-0",
                "type": "Warning",
                "reason": "Unreachable",
                "action": "Discover",
                "note": "no answer",
                "regarding": {
                    "apiVersion": "lmos.eclipse/v1",
                    "kind": "Agent",
                    "namespace": "default",
                    "name": "billing",
                    "uid": "u-1",
                    "resourceVersion": "7",
                },
            },
        )
    ]


async def test_equal_news_is_counted_in_the_event_that_is_there() -> None:
    server = ApiServer()
    async with recording(server) as recorder:
        for _ in range(3):
            unreachable(recorder)
            await asyncio.sleep(1)
    (_, first, second) = server.requests
    assert [first[:2], second[:2]] == [("PATCH", f"{EVENTS}/billing.8000000000000001")] * 2
    assert [request[2]["series"]["count"] for request in (first, second)] == [2, 3]


async def test_news_that_repeats_while_it_waits_is_written_once() -> None:
    server, before = ApiServer(), counted(metrics.EVENT_AGGREGATED)
    async with recording(server) as recorder:
        for _ in range(1000):
            unreachable(recorder)
    ((_, _, event),) = server.requests
    assert event["series"] == {"count": 1000, "lastObservedTime": "2026-11-25T09:00:00.000000Z"}
    assert counted(metrics.EVENT_AGGREGATED) == before + 999


async def test_other_news_is_an_event_of_its_own() -> None:
    server = ApiServer()
    async with recording(server) as recorder:
        unreachable(recorder)
        unreachable(recorder, message="the answer is 500")
        unreachable(recorder, agent("contract"))
        unreachable(recorder, BILLING.with_meta(uid="u-2"))
        await asyncio.sleep(SERIES_SECONDS)
        unreachable(recorder)
    assert [method for method, _, _ in server.requests] == ["POST"] * 5
    assert len({event["metadata"]["name"] for _, _, event in server.requests}) == 5


async def test_an_event_that_has_expired_meanwhile_is_written_anew() -> None:
    server = ApiServer(statuses={"PATCH": 404})
    async with recording(server) as recorder:
        for _ in range(2):
            unreachable(recorder)
            await asyncio.sleep(1)
    assert [method for method, _, _ in server.requests] == ["POST", "PATCH", "POST"]
    assert server.requests[-1][2]["series"]["count"] == 2


async def test_a_storm_of_news_is_none_of_requests() -> None:
    server = ApiServer()
    async with recording(server) as recorder:
        for number in range(100):
            unreachable(recorder, message=f"news {number}")
        await asyncio.sleep(0.01)
        assert len(server.requests) == 50
        await asyncio.sleep(5)
        assert len(server.requests) == 75


async def test_what_is_too_much_is_dropped_and_counted() -> None:
    server, before = ApiServer(), counted(metrics.EVENT_DROPPED)
    async with recording(server, capacity=10) as recorder:
        for number in range(25):
            unreachable(recorder, message=f"news {number}")
        await asyncio.sleep(1)
        unreachable(recorder, message="news 25")
    assert [event["note"] for _, _, event in server.requests] == [f"news {n}" for n in (*range(10), 25)]
    assert counted(metrics.EVENT_DROPPED) == before + 15


async def test_recording_never_waits_for_the_server() -> None:
    server = ApiServer(delay=20)
    async with recording(server) as recorder:
        began = asyncio.get_running_loop().time()
        unreachable(recorder)
        assert asyncio.get_running_loop().time() == began


async def test_closing_writes_what_waits_but_not_for_ever() -> None:
    server, before = ApiServer(), counted(metrics.EVENT_DROPPED)
    async with recording(server) as recorder:
        for number in range(200):
            unreachable(recorder, message=f"news {number}")
    assert len(server.requests) == 200
    server.delay = 1.5
    began = asyncio.get_running_loop().time()
    async with recording(server) as recorder:
        for number in range(5):
            unreachable(recorder, message=f"news {number}")
    assert asyncio.get_running_loop().time() - began == pytest.approx(2)
    assert counted(metrics.EVENT_DROPPED) == before + 3


async def test_an_event_that_is_refused_is_one_log_line_and_others_follow() -> None:
    server, before = ApiServer(statuses={"POST": 403}), counted(metrics.EVENT_FAILED)
    with capture_logs() as logs:
        async with recording(server) as recorder:
            unreachable(recorder)
            await asyncio.sleep(1)
            server.statuses.clear()
            unreachable(recorder)
    assert [line["event"] for line in logs] == [reasons.EVENT_NOT_TOLD]
    assert [method for method, _, _ in server.requests] == ["POST", "POST"]
    assert counted(metrics.EVENT_FAILED) == before + 1


@pytest.mark.parametrize("letter", ["x", "ü", "語"])
async def test_a_long_message_is_cut_to_a_kilobyte(letter: str) -> None:
    server = ApiServer()
    async with recording(server) as recorder:
        unreachable(recorder, message=letter * 2000)
    note: str = server.requests[0][2]["note"]
    assert 1000 < len(note.encode()) <= 1024
    assert note.endswith("…")


async def test_names_of_events_fit_whatever_the_object_is_called() -> None:
    server = ApiServer()
    async with recording(server) as recorder:
        unreachable(recorder, agent("a" * 199 + "." + "b" * 50))
    assert server.requests[0][2]["metadata"]["name"] == "a" * 199 + ".8000000000000001"
