"""graphql-transport-ws as ARC's clients speak it, frame by frame, against a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
import structlog

from lmos.conversation.errors import AgentNotFound
from lmos.conversation.exchange import AgentEvent, AgentRequest, Delta, Intermediate, ToolCall
from lmos.telemetry import names
from tests.protocols.arc.parts import (
    DATA,
    EchoService,
    Frame,
    PatientService,
    RawClient,
    ScriptedService,
    answer,
    arc_server,
    raw_client,
    wire_request,
)

pytestmark = pytest.mark.anyio


async def turn(client: RawClient, **payload: Any) -> list[Frame]:
    """Frames of one subscription up to `complete`."""
    await client.initialise()
    await client.subscribe(**payload)
    frames = [await client.receive()]
    while frames[-1]["type"] != "complete":
        frames.append(await client.receive())
    return frames


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        pytest.param((), None, id="none, as Kotlin's client"),
        pytest.param(("graphql-transport-ws",), "graphql-transport-ws", id="the sub-protocol"),
        pytest.param(
            ("graphql-ws", "graphql-transport-ws"), "graphql-transport-ws", id="the sub-protocol among others"
        ),
    ],
)
async def test_a_handshake_is_accepted_with(offered: tuple[str, ...], chosen: str | None) -> None:
    async with arc_server(EchoService()) as url, raw_client(url, offered) as client:
        assert client.raw.protocol == chosen
        assert [frame["type"] for frame in await turn(client)] == ["next", "complete"]


async def test_no_sub_protocol_is_sent_back_when_none_was_offered() -> None:
    async with arc_server(EchoService()) as url, aiohttp.ClientSession() as session:
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        async with session.get(f"{url}/subscriptions", headers=headers) as response:
            assert response.status == 101
            assert "Sec-WebSocket-Protocol" not in response.headers
            response.close()


async def test_the_legacy_sub_protocol_is_refused() -> None:
    async with arc_server(EchoService()) as url:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with raw_client(url, ("graphql-ws",)):
                pass
    assert refused.value.status == 400


async def test_kotlins_frames_are_answered_in_a_form_its_decoder_reads() -> None:
    lines = [json.loads(line) for line in (DATA / "kotlin_client.jsonl").read_text().splitlines()]
    async with (
        arc_server(ScriptedService(ToolCall("1", "get_bill", {"a": 1}), answer("42 EUR"))) as url,
        raw_client(url, (), {"x-subset": "canary"}) as client,
    ):
        received: list[Frame] = []
        for line in lines:
            if line["direction"] == ">":
                await client.send(line["frame"])
            else:
                received.append(await client.receive())
                assert received[-1] == {**received[-1], **line["frame"]}
    agent = received[1]["payload"].pop("data")["agent"]
    assert received[1]["payload"] == {}
    assert agent.pop("responseTime") >= 0
    assert agent == {
        "status": "null",
        "type": "MESSAGE",
        "toolCalls": [{"name": "get_bill", "arguments": '{"a": 1}'}],
        "context": [],
        "anonymizationEntities": [],
        "messages": [{"content": "42 EUR", "format": "text", "role": "assistant"}],
    }


async def test_the_service_gets_request_agent_name_and_subset() -> None:
    service = ScriptedService(answer("x"))
    async with arc_server(service) as url, raw_client(url, (), {"x-subset": "canary"}) as client:
        await turn(client, variables={"request": wire_request("hi"), "agentName": "contract"})
    name, asked = service.asked[0]
    assert (name, asked.query, asked.subset, asked.turn_id) == ("contract", "hi", "canary", "turn-1")


async def test_results_come_as_the_agent_speaks_and_the_message_last() -> None:
    service = ScriptedService(Intermediate("wait"), Delta("4"), answer("42"))
    async with arc_server(service) as url, raw_client(url) as client:
        *results, last = await turn(client)
    assert last["type"] == "complete"
    assert [result["payload"]["data"]["agent"]["type"] for result in results] == ["INTERMEDIATE_MESSAGE", "MESSAGE"]


async def test_deltas_are_events_when_the_system_context_asks_for_them() -> None:
    eventing = wire_request(systemContext=[{"key": "enableEventing", "value": "true"}])
    async with arc_server(ScriptedService(Delta("4"), answer("4"))) as url, raw_client(url) as client:
        event, _, _ = await turn(client, variables={"request": eventing})
    agent = event["payload"]["data"]["agent"]
    assert (agent["type"], agent["messages"]) == ("EVENT", [])
    assert agent["context"] == [
        {"key": "eventType", "value": "TextDelta"},
        {"key": "eventData", "value": '{"text": "4"}'},
    ]


async def test_a_turn_error_is_an_error_frame_with_its_message_then_complete() -> None:
    service = ScriptedService(AgentNotFound("no agent is named 'x'"))
    with structlog.testing.capture_logs() as lines:
        async with arc_server(service) as url, raw_client(url) as client:
            frames = await turn(client)
    assert frames == [
        {"id": "1", "type": "error", "payload": [{"message": "no agent is named 'x'"}]},
        {"id": "1", "type": "complete"},
    ]
    assert [line["event"] for line in lines] == [names.EVENT_ARC_TURN_FAILED]


async def test_another_exception_shows_in_the_log_and_not_on_the_wire() -> None:
    service = ScriptedService(Intermediate("wait"), RuntimeError("password is hunter2"))
    with structlog.testing.capture_logs() as lines:
        async with arc_server(service) as url, raw_client(url) as client:
            frames = await turn(client)
    assert [frame["type"] for frame in frames] == ["next", "error", "complete"]
    assert "hunter2" not in json.dumps(frames)
    (line,) = lines
    assert (line["event"], line["error"]) == (names.EVENT_ARC_AGENT_RAISED, "password is hunter2")
    assert "in ask" in line["where"]


@pytest.mark.parametrize(
    ("service", "message"),
    [
        pytest.param(ScriptedService(), "ended without an answer", id="says nothing"),
        pytest.param(ScriptedService(Intermediate("x")), "ended without an answer", id="never answers"),
        pytest.param(ScriptedService(answer("\ud83d")), "cannot be written as JSON", id="says half a surrogate pair"),
        pytest.param(ScriptedService(asyncio.CancelledError()), "was cancelled", id="cancels itself"),
    ],
)
async def test_an_agent_that_fails_otherwise_ends_in_an_error_too(service: ScriptedService, message: str) -> None:
    async with arc_server(service) as url, raw_client(url) as client:
        frames = await turn(client)
    *_, error, complete = frames
    assert (error["type"], complete["type"]) == ("error", "complete")
    assert message in error["payload"][0]["message"]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        pytest.param({"query": "subscription {"}, "Syntax Error", id="syntax"),
        pytest.param({"query": "subscription { nothing }"}, "Cannot query field", id="unknown field"),
        pytest.param({"variables": {}}, "Variable '$request' has invalid value", id="missing variable"),
        pytest.param({"variables": None}, "Variable '$request' has invalid value", id="null variables"),
        pytest.param({"operationName": "x"}, "no operation named 'x'", id="unknown operation"),
        pytest.param(
            {"variables": {"request": wire_request(messages=[{"role": "system", "content": "x"}])}},
            "request.messages.0.role is 'system'",
            id="unknown role",
        ),
        pytest.param(
            {"variables": {"request": wire_request(messages=[{"role": "user", "content": 7}])}},
            "String cannot represent a non string value: 7",
            id="content of another type",
        ),
    ],
)
async def test_a_bad_operation_is_an_error_frame(payload: dict[str, Any], message: str) -> None:
    async with arc_server(EchoService()) as url, raw_client(url) as client:
        error, complete = await turn(client, **payload)
    assert (error["type"], complete["type"]) == ("error", "complete")
    assert message in error["payload"][0]["message"]


async def test_a_query_over_the_websocket_is_answered_once() -> None:
    async with arc_server(EchoService()) as url, raw_client(url) as client:
        frames = await turn(client, query="{ agent { names } }", variables=None)
    assert frames[0]["payload"] == {"data": {"agent": {"names": ["echo"]}}}


async def test_a_ping_is_answered_with_pong_even_before_init() -> None:
    async with arc_server(EchoService()) as url, raw_client(url) as client:
        await client.send({"type": "ping", "payload": {"a": 1}})
        assert await client.receive() == {"type": "pong"}


async def test_a_pong_that_nobody_asked_for_is_ignored() -> None:
    async with arc_server(EchoService()) as url, raw_client(url) as client:
        await client.send({"type": "pong"})
        assert len(await turn(client)) == 2


async def test_one_connection_serves_turn_after_turn() -> None:
    async with arc_server(EchoService()) as url, raw_client(url) as client:
        await turn(client)
        for operation_id in ("2", "1"):
            await client.subscribe(operation_id)
            assert [(await client.receive())["id"] for _ in range(2)] == [operation_id] * 2


async def test_turns_of_one_connection_run_at_once() -> None:
    class Meeting:
        names = ("meeting",)
        present = asyncio.Barrier(3)

        async def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent]:
            await self.present.wait()
            yield answer("all here")

    async with arc_server(Meeting()) as url, raw_client(url) as client:
        await client.initialise()
        for operation_id in ("1", "2", "3"):
            await client.subscribe(operation_id)
        frames = [await client.receive() for _ in range(6)]
    assert sorted(frame["id"] for frame in frames if frame["type"] == "next") == ["1", "2", "3"]


async def test_complete_from_the_client_stops_the_agent_and_nothing_more_is_sent() -> None:
    service = PatientService()
    async with arc_server(service) as url, raw_client(url) as client:
        await client.initialise()
        await client.subscribe()
        await service.started.wait()
        await client.send({"id": "1", "type": "complete"})
        await service.stopped.wait()
        await client.send({"type": "ping"})
        assert await client.receive() == {"type": "pong"}


async def test_a_client_that_leaves_stops_its_agent() -> None:
    service = PatientService()
    async with arc_server(service) as url:
        async with raw_client(url) as client:
            await client.initialise()
            await client.subscribe()
            await service.started.wait()
        await asyncio.wait_for(service.stopped.wait(), 5)


async def test_a_dropped_connection_stops_its_agent() -> None:
    service = PatientService()
    async with arc_server(service) as url, raw_client(url) as client:
        await client.initialise()
        await client.subscribe()
        await service.started.wait()
        transport = client.raw.get_extra_info("socket")
        assert transport is not None
        client.raw._response.close()  # pyright: ignore[reportPrivateUsage] - no closing handshake
        await asyncio.wait_for(service.stopped.wait(), 5)


async def test_subscriptions_beyond_the_limit_are_refused_one_by_one() -> None:
    service = PatientService()
    async with arc_server(service, subscriptions=2) as url, raw_client(url) as client:
        await client.initialise()
        for operation_id in ("1", "2", "3"):
            await client.subscribe(operation_id)
        error, complete = await client.receive(), await client.receive()
        assert (error["id"], error["type"], complete["type"]) == ("3", "error", "complete")
        assert error["payload"] == [{"message": "more than 2 subscriptions at once"}]


async def test_an_agent_may_work_on_after_its_answer_but_not_speak() -> None:
    done = asyncio.Event()

    class Tidy:
        names = ("tidy",)

        async def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent]:
            yield answer("42")
            await asyncio.sleep(0)
            yield Intermediate("one more thing")
            done.set()

    async with arc_server(Tidy()) as url, raw_client(url) as client:
        frames = await turn(client)
    assert [frame["type"] for frame in frames] == ["next", "complete"]
    assert done.is_set()
