"""`ArcClient` against real ARC servers: turns, kept sockets, cancellation, traces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from aiohttp import web
from opentelemetry import trace

from lmos.conversation.errors import AgentFailed
from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer, Delta, Intermediate, ToolCall, ToolResult
from lmos.conversation.messages import KeyValue
from lmos.protocols.arc.client import ArcClient, PoolLimits
from tests.protocols.arc.parts import (
    EchoService,
    FaultyAgent,
    Frame,
    PatientService,
    ScriptedService,
    answer,
    arc_server,
    collect,
    complete,
    request,
    result,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client() -> AsyncGenerator[ArcClient]:
    arc = ArcClient()
    yield arc
    await arc.aclose()


async def polite(socket: web.WebSocketResponse, frame: Frame) -> None:
    await socket.send_json(result(frame["id"]))
    await socket.send_json(complete(frame["id"]))


async def test_a_turn_brings_the_agents_events_and_its_answer_last(client: ArcClient) -> None:
    script = [
        Intermediate("wait"),
        ToolCall("1", "get_bill", {"month": "May"}),
        ToolResult("1", "get_bill", "42"),
        answer("42 EUR", status="DONE", context=(KeyValue(key="useCase", value="bill"),)),
    ]
    async with arc_server(ScriptedService(*script)) as url:
        events = await collect(client.ask(url, request()))
    assert events == [script[0], ToolCall("call-1", "get_bill", {"month": "May"}), script[3]]


async def test_deltas_and_tools_come_when_the_request_enables_events(client: ArcClient) -> None:
    script = [Delta("4"), ToolCall("1", "a"), ToolResult("1", "a", "x"), Delta("2"), answer("42")]
    eventing = request(params=(KeyValue(key="enableEventing", value="true"),))
    async with arc_server(ScriptedService(*script)) as url:
        assert await collect(client.ask(url, eventing)) == script


async def test_the_agent_hears_what_was_asked(client: ArcClient) -> None:
    service = ScriptedService(answer("x"))
    sent = request("hi", tenant="acme", channel="web", subset="canary")
    async with arc_server(service) as url:
        await collect(client.ask(url, sent, subset="canary", agent_name="contract"))
    name, heard = service.asked[0]
    assert name == "contract"
    assert (heard.query, heard.tenant, heard.channel, heard.subset) == ("hi", "acme", "web", "canary")


@pytest.mark.parametrize("form", ["{url}", "{url}/", "{url}/subscriptions", "ws://{host}", "{host}"])
async def test_an_agent_is_reached_by_any_form_of_its_address(client: ArcClient, form: str) -> None:
    async with arc_server(EchoService()) as url:
        address = form.format(url=url, host=url.removeprefix("http://"))
        (event,) = await collect(client.ask(address, request()))
    assert isinstance(event, Answer)


async def test_a_bad_address_is_named(client: ArcClient) -> None:
    with pytest.raises(AgentFailed, match="'ftp://agent'"):
        await collect(client.ask("ftp://agent", request()))


async def test_turns_one_after_another_share_a_socket(client: ArcClient) -> None:
    async with arc_server(EchoService()) as url:
        for number in range(20):
            await collect(client.ask(url, request(conversation_id=f"c{number}")))
    assert client.sockets_opened == 1


async def test_turns_at_once_have_a_socket_each_and_keep_them(client: ArcClient) -> None:
    async with arc_server(EchoService()) as url:
        for _ in range(3):
            await asyncio.gather(*(collect(client.ask(url, request())) for _ in range(5)))
    assert client.sockets_opened == 5


async def test_turns_of_another_subset_have_their_own_socket(client: ArcClient) -> None:
    agent = FaultyAgent(polite)
    async with agent.serve() as url:
        for subset in (None, "canary", "canary", None):
            await collect(client.ask(url, request(), subset=subset))
        await client.aclose()
    assert [connection.headers.get("x-subset") for connection in agent.connections] == [None, "canary"]


async def test_the_sub_protocol_is_offered(client: ArcClient) -> None:
    agent = FaultyAgent(polite)
    async with agent.serve() as url:
        await collect(client.ask(url, request()))
        await client.aclose()
    assert agent.connections[0].headers["Sec-WebSocket-Protocol"] == "graphql-transport-ws"


async def test_a_server_without_sub_protocol_is_understood(client: ArcClient) -> None:
    agent = FaultyAgent(polite, protocols=())
    async with agent.serve() as url:
        assert await collect(client.ask(url, request())) == [answer("fine")]
        await client.aclose()


async def test_two_hundred_turns_at_once_are_not_mixed_up(client: ArcClient) -> None:
    async def ask(number: int) -> str:
        sent = request(f"question {number}", conversation_id=f"conv-{number}", subset=None)
        (event,) = await collect(client.ask(url, sent))
        assert isinstance(event, Answer)
        return event.message.content

    async with arc_server(EchoService()) as url:
        for _ in range(2):
            answers = await asyncio.gather(*(ask(number) for number in range(200)))
            assert answers == [f"conv-{number}:question {number}" for number in range(200)]


async def test_leaving_stops_the_agent_and_drops_the_socket(client: ArcClient) -> None:
    stopped = asyncio.Event()

    class Talker:
        names = ("talker",)

        async def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent]:
            try:
                yield Intermediate("wait")
                await asyncio.Event().wait()
            finally:
                stopped.set()

    async with arc_server(Talker()) as url:
        async with aclosing(client.ask(url, request())) as events:
            assert await anext(events) == Intermediate("wait")
        await asyncio.wait_for(stopped.wait(), 5)


async def test_a_cancelled_turn_tells_the_agent_to_stop(client: ArcClient) -> None:
    asked = asyncio.Event()

    async def silent(socket: web.WebSocketResponse, frame: Frame) -> None:
        asked.set()

    agent = FaultyAgent(silent)
    async with agent.serve() as url:
        turn = asyncio.create_task(collect(client.ask(url, request())))
        await asked.wait()
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        await client.aclose()
        await agent.left.wait()
    assert agent.frames[-1] == complete("1")


async def test_a_deadline_of_the_caller_stops_the_agent(client: ArcClient) -> None:
    service = PatientService()
    async with arc_server(service) as url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await collect(client.ask(url, request()))
        await asyncio.wait_for(service.stopped.wait(), 5)


async def test_a_cancelled_turn_harms_no_turn_at_its_side(client: ArcClient) -> None:
    gate = asyncio.Event()

    class Gated:
        names = ("gated",)

        async def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent]:
            await gate.wait()
            yield answer(request.query)

    async with arc_server(Gated()) as url:
        turns = [asyncio.create_task(collect(client.ask(url, request(f"q{n}")))) for n in range(6)]
        await asyncio.sleep(0.05)
        for turn in turns[::2]:
            turn.cancel()
        gate.set()
        outcomes = await asyncio.gather(*turns, return_exceptions=True)
    assert [outcome for outcome in outcomes if isinstance(outcome, list)] == [[answer(f"q{n}")] for n in (1, 3, 5)]


async def test_idle_sockets_are_closed_in_time() -> None:
    agent = FaultyAgent(polite)
    client = ArcClient(limits=PoolLimits(idle=0.05))
    async with agent.serve() as url:
        await collect(client.ask(url, request()))
        await asyncio.wait_for(agent.left.wait(), 5)
        await collect(client.ask(url, request()))
        assert client.sockets_opened == 2
        await client.aclose()


async def test_old_sockets_are_not_kept() -> None:
    async with arc_server(EchoService()) as url:
        client = ArcClient(limits=PoolLimits(lifetime=0))
        for _ in range(3):
            await collect(client.ask(url, request()))
        assert client.sockets_opened == 3
        await client.aclose()


async def test_no_more_idle_sockets_are_kept_than_allowed() -> None:
    async with arc_server(EchoService()) as url:
        client = ArcClient(limits=PoolLimits(kept=2))
        for _ in range(2):
            await asyncio.gather(*(collect(client.ask(url, request())) for _ in range(5)))
        assert client.sockets_opened == 5 + 3
        await client.aclose()


async def test_closing_the_client_closes_its_sockets() -> None:
    agent = FaultyAgent(polite)
    client = ArcClient()
    async with agent.serve() as url:
        await collect(client.ask(url, request()))
        await client.aclose()
        await asyncio.wait_for(agent.left.wait(), 5)


async def test_each_turn_brings_its_own_trace_over_a_kept_socket(client: ArcClient) -> None:
    class Traced:
        names = ("traced",)

        async def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent]:
            yield answer(f"{trace.get_current_span().get_span_context().trace_id:x}")

    async with arc_server(Traced()) as url:
        for trace_id in (0xA1, 0xA2, None):
            context = trace.SpanContext(
                trace_id or 0, 1 if trace_id else 0, is_remote=False, trace_flags=trace.TraceFlags(1)
            )
            with trace.use_span(trace.NonRecordingSpan(context)):
                assert await collect(client.ask(url, request())) == [answer(f"{trace_id or 0:x}")]
    assert client.sockets_opened == 1


async def test_the_trace_of_a_handshake_holds_for_the_first_turn(client: ArcClient) -> None:
    agent = FaultyAgent(polite)
    context = trace.SpanContext(0xA1, 0xB1, is_remote=False, trace_flags=trace.TraceFlags(1))
    async with agent.serve() as url:
        with trace.use_span(trace.NonRecordingSpan(context)):
            await collect(client.ask(url, request()))
        await client.aclose()
    assert agent.connections[0].headers["traceparent"] == f"00-{0xA1:032x}-{0xB1:016x}-01"


async def test_without_a_span_a_subscribe_frame_is_as_kotlins(client: ArcClient) -> None:
    agent = FaultyAgent(polite)
    async with agent.serve() as url:
        await collect(client.ask(url, request()))
        await client.aclose()
    assert set(agent.frames[1]["payload"]) == {"query", "variables"}
