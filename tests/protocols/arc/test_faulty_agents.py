"""Agents that break: each fault is one `AgentFailed` with a message of one line, and harms no other turn."""

from __future__ import annotations

import asyncio
import json
import socket as sockets
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import WSCloseCode, web

from lmos.conversation.errors import AgentFailed
from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer, Intermediate
from lmos.protocols.arc import client as arc_client
from lmos.protocols.arc.client import ArcClient, PoolLimits
from tests.protocols.arc.parts import (
    DATA,
    Behaviour,
    EchoService,
    FaultyAgent,
    Frame,
    answer,
    arc_server,
    collect,
    complete,
    request,
    result,
)

pytestmark = pytest.mark.anyio

Socket = web.WebSocketResponse


@pytest.fixture
async def client() -> AsyncGenerator[ArcClient]:
    arc = ArcClient(limits=PoolLimits(connect=1, ack=0.2, frame_bytes=100_000), first_frame_timeout=0.2)
    yield arc
    await arc.aclose()


def sending(*frames: Any) -> Behaviour:
    """Sends `frames` as JSON, or as they are when text or bytes; ID stands for the operation's id."""

    async def behave(socket: Socket, frame: Frame) -> None:
        for sent in frames:
            match sent:
                case bytes():
                    await socket.send_bytes(sent)
                case str():
                    await socket.send_str(sent)
                case _:
                    await socket.send_json(json.loads(json.dumps(sent).replace("ID", frame["id"])))

    return behave


async def close_socket(socket: Socket, frame: Frame) -> None:
    await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"busy")


async def drop_socket(socket: Socket, frame: Frame) -> None:
    transport = socket.get_extra_info("socket")
    assert transport is not None
    transport.shutdown(sockets.SHUT_RDWR)


async def answer_then_drop(socket: Socket, frame: Frame) -> None:
    await socket.send_json(result(frame["id"]))
    await drop_socket(socket, frame)


async def broken_frame(socket: Socket, frame: Frame) -> None:
    below: Any = socket._req  # pyright: ignore[reportPrivateUsage] - the stream below the framing
    below.transport.write(b"\xff\xff\xff")


def error(*payload: Any) -> Frame:
    return {"id": "ID", "type": "error", "payload": list(payload)}


def next_with(payload: Any) -> Frame:
    return {"id": "ID", "type": "next", "payload": payload}


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        pytest.param(close_socket, r"closed the connection \(code 1013: busy\)", id="closes"),
        pytest.param(drop_socket, r"closed the connection \(code 1006\)", id="drops"),
        pytest.param(answer_then_drop, "closed the connection", id="drops between message and complete"),
        pytest.param(broken_frame, "sent a broken WebSocket frame", id="broken WebSocket frame"),
        pytest.param(sending(), "did not answer within 0.2 s", id="never answers"),
        pytest.param(sending({"type": "pong"}), "did not answer within 0.2 s", id="pongs only"),
        pytest.param(sending(result("other"), complete("other")), "did not answer within 0.2 s", id="wrong id"),
        pytest.param(sending("nonsense"), "sent garbage: frame is not JSON", id="not JSON"),
        pytest.param(sending("[]"), "sent garbage: frame is not a JSON object", id="not an object"),
        pytest.param(sending("{}"), "sent garbage: frame has no text member 'type'", id="no type"),
        pytest.param(sending(b"\x00"), "sent garbage: a binary frame", id="binary"),
        pytest.param(sending({"type": "ka"}), "sent garbage: unexpected frame type 'ka'", id="unknown frame"),
        pytest.param(sending({"type": "complete"}), "sent garbage: 'complete' without id", id="no id"),
        pytest.param(sending('{"type": "next", "x": "' + "x" * 200_000 + '"}'), "broken WebSocket frame", id="huge"),
        pytest.param(sending(complete("ID")), "completed without an answer", id="completes at once"),
        pytest.param(sending(result("ID", None), complete("ID")), "completed without an answer", id="no messages"),
        pytest.param(sending(error({"message": "no such agent"})), "failed: no such agent", id="error"),
        pytest.param(sending(error({"message": "a"}, {"message": "b\nc"})), "failed: a; b c$", id="errors"),
        pytest.param(sending(error()), "failed: no message", id="error without errors"),
        pytest.param(sending({"type": "error", "payload": {"message": "x"}}), "failed: x", id="error in other forms"),
        pytest.param(
            sending(next_with({"data": None, "errors": [{"message": "boom"}]})), "failed: boom", id="errors in next"
        ),
        pytest.param(sending(next_with({"data": None})), "a result without data.agent", id="null data"),
        pytest.param(sending(next_with({"data": {"agent": None}})), "a result without data.agent", id="null agent"),
        pytest.param(sending(next_with([])), "a result without data.agent", id="payload is a list"),
        pytest.param(
            sending(next_with({"data": {"agent": {"messages": [{"content": 1}]}}})),
            r"data.agent.messages.0.content: Input should be a valid string",
            id="content of another type",
        ),
        pytest.param(sending(result("ID", "no", type="ERROR")), "failed: no", id="result of type ERROR"),
    ],
)
async def test_a_fault_fails_the_turn_with_one_clear_line(
    client: ArcClient, behaviour: Behaviour, message: str
) -> None:
    agent = FaultyAgent(behaviour)
    async with agent.serve() as url:
        with pytest.raises(AgentFailed, match=message) as failed:
            await collect(client.ask(url, request()))
        await client.aclose()
    assert str(failed.value).startswith(f"agent at {url.removeprefix('http://')} ")
    assert "\n" not in str(failed.value)
    assert sum(frame["type"] == "subscribe" for frame in agent.frames) == 1


async def test_a_fault_harms_no_turn_at_its_side(client: ArcClient) -> None:
    async def moody(socket: Socket, frame: Frame) -> None:
        text = frame["payload"]["variables"]["request"]["messages"][0]["content"]
        if text == "bad":
            await drop_socket(socket, frame)
            return
        await socket.send_json(result(frame["id"], text))
        await socket.send_json(complete(frame["id"]))

    agent = FaultyAgent(moody)
    async with agent.serve() as url:
        questions = ["good", "bad"] * 10
        outcomes = await asyncio.gather(
            *(collect(client.ask(url, request(text))) for text in questions), return_exceptions=True
        )
        await client.aclose()
    assert [isinstance(outcome, AgentFailed) for outcome in outcomes] == [text == "bad" for text in questions]


async def test_a_fault_after_an_intermediate_message_still_shows_that_message(client: ArcClient) -> None:
    agent = FaultyAgent(sending(result("ID", "wait", type="INTERMEDIATE_MESSAGE"), "nonsense"))
    async with agent.serve() as url:
        events = client.ask(url, request())
        assert await anext(events) == Intermediate("wait")
        with pytest.raises(AgentFailed):
            await anext(events)
        await client.aclose()


async def test_nobody_listening_is_a_clear_error(client: ArcClient) -> None:
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(AgentFailed, match=rf"agent at 127.0.0.1:{port} cannot be reached"):
        await collect(client.ask(f"http://127.0.0.1:{port}", request()))


async def test_a_refused_handshake_is_named_with_its_status(client: ArcClient) -> None:
    async with arc_server(EchoService()) as url:
        with pytest.raises(AgentFailed, match=r"refused the WebSocket handshake with HTTP 40[34]"):
            await collect(client.ask(f"{url}/nowhere", request()))


async def test_a_handshake_that_nobody_answers_ends_in_time() -> None:
    client = ArcClient(limits=PoolLimits(connect=0.1))
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(AgentFailed, match=r"did not accept the connection within 0.1 s"):
            await collect(client.ask(f"http://127.0.0.1:{listener.getsockname()[1]}", request()))
        await client.aclose()


async def test_a_missing_acknowledgement_ends_in_time(client: ArcClient) -> None:
    agent = FaultyAgent(sending(), acknowledges=False)
    async with agent.serve() as url:
        with pytest.raises(AgentFailed, match=r"did not acknowledge within 0.2 s"):
            await collect(client.ask(url, request()))
        await client.aclose()
    assert [frame["type"] for frame in agent.frames] == ["connection_init"]


async def test_a_socket_closed_after_the_acknowledgement_is_a_clear_error(client: ArcClient) -> None:
    agent = FaultyAgent(sending(), farewell=True)
    async with agent.serve() as url:
        with pytest.raises(AgentFailed, match="closed the connection"):
            await collect(client.ask(url, request()))
        await client.aclose()


async def test_a_kept_socket_that_was_closed_meanwhile_is_replaced(client: ArcClient) -> None:
    async def once(socket: Socket, frame: Frame) -> None:
        await socket.send_json(result(frame["id"]))
        await socket.send_json(complete(frame["id"]))
        await socket.close()

    agent = FaultyAgent(once)
    async with agent.serve() as url:
        for _ in range(3):
            assert await collect(client.ask(url, request())) == [answer("fine")]
            await agent.left.wait()
            await asyncio.sleep(0.02)
        await client.aclose()
    assert client.sockets_opened == 3


async def test_a_kept_socket_that_breaks_once_asked_is_not_asked_again(client: ArcClient) -> None:
    """The agent may have acted: only the caller can know whether asking twice does harm."""

    async def second_time_lucky(socket: Socket, frame: Frame) -> None:
        if frame["id"] == "2":
            await drop_socket(socket, frame)
            return
        await socket.send_json(result(frame["id"]))
        await socket.send_json(complete(frame["id"]))

    agent = FaultyAgent(second_time_lucky)
    async with agent.serve() as url:
        await collect(client.ask(url, request()))
        with pytest.raises(AgentFailed, match="closed the connection"):
            await collect(client.ask(url, request()))
        assert await collect(client.ask(url, request())) == [answer("fine")]
        await client.aclose()
    assert sum(frame["type"] == "subscribe" for frame in agent.frames) == 3


async def test_garbage_on_an_idle_socket_costs_that_socket_only(client: ArcClient) -> None:
    async def chatty(socket: Socket, frame: Frame) -> None:
        await socket.send_json(result(frame["id"]))
        await socket.send_json(complete(frame["id"]))
        await socket.send_str("by the way")

    agent = FaultyAgent(chatty)
    async with agent.serve() as url:
        for _ in range(2):
            assert await collect(client.ask(url, request())) == [answer("fine")]
            await asyncio.sleep(0.02)
        await client.aclose()
    assert client.sockets_opened == 2


async def test_a_json_ping_of_the_server_is_answered(client: ArcClient) -> None:
    agent = FaultyAgent(sending({"type": "ping"}, result("ID"), complete("ID")))
    async with agent.serve() as url:
        assert await collect(client.ask(url, request())) == [answer("fine")]
        await client.aclose()
    assert {"type": "pong"} in agent.frames


async def test_a_message_may_come_before_an_intermediate_one(client: ArcClient) -> None:
    late = [result("ID", "42"), result("ID", "wait", type="INTERMEDIATE_MESSAGE"), complete("ID")]
    async with FaultyAgent(sending(*late)).serve() as url:
        assert await collect(client.ask(url, request())) == [Intermediate("wait"), answer("42")]
        await client.aclose()


class OlderAgent(FaultyAgent):
    """Refuses newer members as ARC 0.126.0 does; answers with an intermediate message after the message."""

    refusal = tuple(json.loads(line) for line in (DATA / "jvm_0_126_0.jsonl").read_text().splitlines())

    def __init__(self) -> None:
        super().__init__(self.behave)

    async def behave(self, socket: Socket, frame: Frame) -> None:
        if "toolCalls" in frame["payload"]["query"]:
            for refused in self.refusal:
                await socket.send_json({**refused, "id": frame["id"]})
            return
        message = result(frame["id"], "42", status="null", context=[])
        intermediate = result(frame["id"], "wait", status=None, context=None)
        for sent in (message, intermediate):
            del sent["payload"]["data"]["agent"]["type"]
            await socket.send_json(sent)
        await socket.send_json(complete(frame["id"]))

    def subscriptions(self) -> int:
        return sum(frame["type"] == "subscribe" for frame in self.frames)


async def test_an_older_agent_is_asked_again_without_newer_fields_and_remembered(client: ArcClient) -> None:
    agent = OlderAgent()
    async with agent.serve() as url:
        assert await collect(client.ask(url, request())) == [Intermediate("wait"), answer("42")]
        assert agent.subscriptions() == 2
        await collect(client.ask(url, request()))
        assert agent.subscriptions() == 3
        await client.aclose()


async def test_an_older_agent_may_have_been_upgraded_and_is_asked_for_newer_fields_again(
    client: ArcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arc_client, "_RELEARN_SECONDS", -1.0)
    agent = OlderAgent()
    async with agent.serve() as url:
        await collect(client.ask(url, request()))
        await collect(client.ask(url, request()))
        assert agent.subscriptions() == 4
        await client.aclose()


async def test_what_one_agent_lacks_is_not_held_against_another(client: ArcClient) -> None:
    older, newer = OlderAgent(), FaultyAgent(sending(result("ID"), complete("ID")))
    async with older.serve() as older_url, newer.serve() as newer_url:
        await collect(client.ask(older_url, request()))
        await collect(client.ask(newer_url, request()))
        await client.aclose()
    assert "toolCalls" in newer.frames[1]["payload"]["query"]


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        pytest.param("Cannot query field 'toolCalls' on type 'AgentResult'.", 2, id="graphql-core"),
        pytest.param('Cannot query field "type" on type "AgentResult".', 2, id="graphql-js"),
        pytest.param("Validation error (FieldUndefined@[agent/status]) : Field 'status' is undefined", 1, id="other"),
        pytest.param("Cannot query field 'type' on type 'Customer'.", 1, id="the agent's own trouble"),
    ],
)
async def test_only_a_refusal_of_the_newer_fields_is_worth_asking_again(
    client: ArcClient, message: str, asked: int
) -> None:
    agent = FaultyAgent(sending(error({"message": message})))
    async with agent.serve() as url:
        with pytest.raises(AgentFailed):
            await collect(client.ask(url, request()))
        await client.aclose()
    assert sum(frame["type"] == "subscribe" for frame in agent.frames) == asked


async def test_an_agent_that_worked_before_it_failed_is_not_asked_again(client: ArcClient) -> None:
    refusal = error({"message": "Cannot query field 'type' on type 'AgentResult'."})
    agent = FaultyAgent(sending(result("ID", "wait", type="INTERMEDIATE_MESSAGE"), refusal))
    async with agent.serve() as url:
        with pytest.raises(AgentFailed):
            await collect(client.ask(url, request()))
        await client.aclose()
    assert sum(frame["type"] == "subscribe" for frame in agent.frames) == 1


async def test_a_server_that_stops_while_a_turn_runs_fails_that_turn(client: ArcClient) -> None:
    started = asyncio.Event()

    class Slow:
        names = ("slow",)

        async def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent]:
            started.set()
            yield Intermediate("wait")
            await asyncio.Event().wait()

    async with arc_server(Slow()) as url:
        turn = asyncio.create_task(collect(client.ask(url, request())))
        await started.wait()
    with pytest.raises(AgentFailed, match="closed the connection"):
        await turn


async def test_a_server_that_restarts_on_its_port_is_found_again(client: ArcClient) -> None:
    first = FaultyAgent(sending(result("ID"), complete("ID")))
    async with first.serve() as url:
        await collect(client.ask(url, request()))
    second = FaultyAgent(sending(result("ID", "again"), complete("ID")))
    async with second.serve(int(url.rpartition(":")[2])):
        (event,) = await collect(client.ask(url, request()))
        await client.aclose()
    assert isinstance(event, Answer)
    assert event.message.content == "again"
