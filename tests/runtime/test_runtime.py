"""A turn from request to last event, over the real log and store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from lmos.conversation.errors import AgentFailed, TurnConflict
from lmos.conversation.events import MessageCompleted, RouteDecided, TurnFailed
from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer, Delta, Intermediate, ToolCall, ToolResult
from lmos.conversation.messages import Message
from tests.runtime.fakes import a_runtime, echo, eventually, play, turn, types

pytestmark = pytest.mark.anyio


async def test_a_matched_turn_is_started_routed_asked_and_completed(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo}) as (runtime, _):
        events = await play(runtime, turn("billing please"))

    assert types(events) == ["TurnStarted", "RouteDecided", "AgentCalled", "MessageCompleted", "TurnCompleted"]
    assert [event.seq for event in events] == [0, 1, 2, 3, 4]


async def test_what_an_agent_does_shows_in_order(tmp_path: Path) -> None:
    async def busy(_request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        yield Intermediate("one moment")
        yield ToolCall("1", "latest_bill", {"month": "October"})
        yield ToolResult("1", "latest_bill", "39.95")
        yield Delta("It is ")
        yield Delta("39.95")
        yield Answer(Message(role="assistant", content="It is 39.95"))

    async with a_runtime(tmp_path, {"billing": busy}) as (runtime, _):
        events = await play(runtime, turn("billing"))

    assert types(events)[3:-2] == ["IntermediateMessage", "ToolCalled", "ToolReturned", "TextDelta", "TextDelta"]


async def test_an_intermediate_message_is_never_the_answer(tmp_path: Path) -> None:
    async def talks_only(_request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        yield Intermediate("working on it")

    async with a_runtime(tmp_path, {"billing": talks_only}) as (runtime, _):
        last = (await play(runtime, turn("billing")))[-1]

    assert isinstance(last, TurnFailed)
    assert last.code == "AGENT_CLIENT_EXCEPTION"


async def test_an_ambiguous_query_asks_back_and_no_agent(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo, "contract": echo}) as (runtime, client):
        events = await play(runtime, turn("help?"))

    assert types(events)[2:] == ["ClarificationAsked", "MessageCompleted", "TurnCompleted"]
    assert client.asked == []


async def test_a_query_out_of_scope_is_declined_and_asks_no_agent(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo}) as (runtime, client):
        events = await play(runtime, turn("weather on mars"))

    assert types(events)[2:] == ["MessageCompleted", "TurnCompleted"]
    assert client.asked == []


async def test_two_intents_are_answered_by_both_agents(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo, "contract": echo}) as (runtime, _):
        events = await play(runtime, turn("billing and contract"))

    assert [e.agent for e in events if isinstance(e, MessageCompleted)] == ["billing", "contract"]


async def test_an_unknown_channel_is_not_found_and_names_the_subsets_there_are(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo}) as (runtime, _):
        last = (await play(runtime, turn("billing", subset="canary")))[-1]

    assert isinstance(last, TurnFailed)
    assert last.code == "AGENT_NOT_FOUND"
    assert "subset stable" in last.message


async def test_an_unknown_explicit_agent_is_not_found(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo}) as (runtime, _):
        last = (await play(runtime, turn("hello", explicit_agent="nobody")))[-1]

    assert isinstance(last, TurnFailed)
    assert last.code == "AGENT_NOT_FOUND"


async def test_a_completed_turn_is_replayed_without_asking_again(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo}) as (runtime, client):
        first = await play(runtime, turn("billing"))
        again = await play(runtime, turn("billing"))

    assert again == first
    assert len(client.asked) == 1


async def test_another_body_under_the_same_turn_id_is_a_conflict(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo}) as (runtime, _):
        await play(runtime, turn("billing"))

        with pytest.raises(TurnConflict, match="new turn id"):
            await play(runtime, turn("billing, but different"))


async def test_another_body_is_a_conflict_while_the_turn_runs(tmp_path: Path) -> None:
    asked = asyncio.Event()
    release = asyncio.Event()

    async def slow(request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        asked.set()
        await release.wait()
        yield Answer(Message(role="assistant", content=request.query))

    async with a_runtime(tmp_path, {"billing": slow}) as (runtime, _):
        running = asyncio.create_task(play(runtime, turn("billing")))
        await asked.wait()
        with pytest.raises(TurnConflict):
            await play(runtime, turn("billing, but different"))
        release.set()

        assert types(await running)[-1] == "TurnCompleted"


async def test_eight_equal_posts_at_once_ask_the_agent_once(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo}) as (runtime, client):
        all_events = await asyncio.gather(*(play(runtime, turn("billing")) for _ in range(8)))

    assert len(client.asked) == 1
    assert all(events == all_events[0] for events in all_events)


async def test_a_failed_turn_runs_again_as_the_next_attempt(tmp_path: Path) -> None:
    calls = 0

    async def fails_once(request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise AgentFailed("the agent is away")
        yield Answer(Message(role="assistant", content="back"))

    async with a_runtime(tmp_path, {"billing": fails_once}) as (runtime, _):
        failed = await play(runtime, turn("billing"))
        again = await play(runtime, turn("billing"))

    assert types(failed)[-1] == "TurnFailed"
    assert types(again)[-1] == "TurnCompleted"
    assert again[0].model_dump()["attempt"] == 2
    assert again[0].seq == failed[-1].seq + 1


async def test_a_reader_resumes_after_the_last_event_it_saw_across_attempts(tmp_path: Path) -> None:
    calls = 0

    async def fails_once(request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise AgentFailed("the agent is away")
        yield Answer(Message(role="assistant", content="back"))

    async with a_runtime(tmp_path, {"billing": fails_once}) as (runtime, _):
        failed = await play(runtime, turn("billing"))
        resumed = await play(runtime, turn("billing"), after=1)

    assert [event.seq for event in resumed] == list(range(2, resumed[-1].seq + 1))
    assert resumed[0] == failed[2]


async def test_a_completed_turn_resumes_after_the_last_event_seen(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo}) as (runtime, _):
        events = await play(runtime, turn("billing"))
        resumed = await play(runtime, turn("billing"), after=2)

    assert resumed == events[3:]


async def test_an_agent_that_never_answers_ends_the_turn_at_its_deadline(tmp_path: Path) -> None:
    async def silent(_request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        await asyncio.Event().wait()
        yield Delta("never")

    async with a_runtime(tmp_path, {"billing": silent}, deadline=0.05) as (runtime, _):
        last = (await play(runtime, turn("billing")))[-1]

    assert isinstance(last, TurnFailed)
    assert last.code == "AGENT_CLIENT_EXCEPTION"
    assert "0.05 s" in last.message


async def test_a_fault_of_the_platform_ends_only_its_own_turn(tmp_path: Path) -> None:
    async def broken(_request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        raise ZeroDivisionError
        yield Delta("never")

    async with a_runtime(tmp_path, {"billing": broken, "contract": echo}) as (runtime, _):
        failed, fine = await asyncio.gather(play(runtime, turn("billing", "t1")), play(runtime, turn("contract", "t2")))

    assert isinstance(failed[-1], TurnFailed)
    assert failed[-1].code == "INTERNAL_SERVER_ERROR"
    assert types(fine)[-1] == "TurnCompleted"


async def test_when_the_only_reader_leaves_the_agent_is_cancelled_and_the_log_says_so(tmp_path: Path) -> None:
    asked = asyncio.Event()
    cancelled = asyncio.Event()

    async def slow(_request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        try:
            asked.set()
            await asyncio.Event().wait()
            yield Delta("never")
        finally:
            cancelled.set()

    async with a_runtime(tmp_path, {"billing": slow}) as (runtime, _):
        async with aclosing(runtime.handle(turn("billing"))) as events:
            assert (await anext(events)).type == "TurnStarted"
            await asked.wait()
        async with asyncio.timeout(2):
            await cancelled.wait()

        async def ended() -> bool:
            return [event async for event in runtime.follow(turn("billing").key)][-1].type == "TurnFailed"

        await eventually(ended)


async def test_a_reader_who_comes_back_within_the_grace_finds_the_turn_running(tmp_path: Path) -> None:
    asked = asyncio.Event()
    release = asyncio.Event()

    async def slow(_request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        asked.set()
        await release.wait()
        yield Answer(Message(role="assistant", content="done"))

    async with a_runtime(tmp_path, {"billing": slow}) as (runtime, client):
        async with aclosing(runtime.handle(turn("billing"), grace=5)) as events:
            first = await anext(events)
            await asked.wait()
        release.set()
        rest = await play(runtime, turn("billing"), after=first.seq)

    assert types(rest)[-1] == "TurnCompleted"
    assert rest[0].seq == 1
    assert len(client.asked) == 1


async def test_the_next_turn_knows_the_current_agent_and_the_logged_transcript(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo, "contract": echo}) as (runtime, client):
        await play(runtime, turn("billing", "t1"))
        decided = (await play(runtime, turn("follow-up", "t2")))[1]

    assert isinstance(decided, RouteDecided)
    assert decided.agents == ("billing",)
    assert [(m.role, m.content) for m in client.asked[1].messages] == [
        ("user", "billing"),
        ("assistant", "echo billing"),
        ("user", "follow-up"),
    ]


async def test_a_transcript_that_the_caller_sends_is_taken_as_it_is(tmp_path: Path) -> None:
    sent = (
        Message(role="user", content="hi"),
        Message(role="assistant", content="hello"),
        Message(role="user", content="billing"),
    )
    async with a_runtime(tmp_path, {"billing": echo}) as (runtime, client):
        await play(runtime, turn("billing", "t1"))
        await play(runtime, turn("", "t2", messages=sent))

    assert client.asked[1].messages == sent


async def test_conversations_of_one_id_in_two_tenants_share_nothing(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo}) as (runtime, client):
        await play(runtime, turn("billing", "t1"))
        last = (await play(runtime, turn("billing", "t1", tenant="globex")))[-1]

    assert isinstance(last, TurnFailed)
    assert last.code == "AGENT_NOT_FOUND"
    assert len(client.asked) == 1


async def test_two_hundred_conversations_at_once_are_not_mixed_up(tmp_path: Path) -> None:
    async with a_runtime(tmp_path, {"billing": echo}) as (runtime, _):
        answers = await asyncio.gather(
            *(play(runtime, turn(f"billing {n}", conversation_id=f"c{n}")) for n in range(200))
        )

    said = [next(e.message.content for e in events if isinstance(e, MessageCompleted)) for events in answers]
    assert said == [f"echo billing {n}" for n in range(200)]


async def test_closing_the_runtime_records_the_end_of_running_turns(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def slow(_request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        asked.set()
        await asyncio.Event().wait()
        yield Delta("never")

    async with a_runtime(tmp_path, {"billing": slow}) as (runtime, _):
        running = asyncio.create_task(play(runtime, turn("billing")))
        await asked.wait()
        await runtime.aclose()
        last = (await running)[-1]

    assert isinstance(last, TurnFailed)
    assert (last.code, last.message) == ("INTERNAL_SERVER_ERROR", "the platform is stopping; post the turn again")
