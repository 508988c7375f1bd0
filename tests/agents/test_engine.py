"""The engine: one run of an agent as events, whatever its model and tools do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from structlog.testing import capture_logs

from lmos import Agent, Turn
from lmos.agents.engine import Engine
from lmos.agents.errors import ToolError
from lmos.conversation.errors import AgentFailed
from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer, Delta, Intermediate, ToolCall, ToolResult
from lmos.conversation.messages import Message, User
from lmos.models.base import Model, ModelError, ModelToolReturn
from lmos.models.registry import model_named
from lmos.testing import Calls, FakeOpenAI, HttpError, Reply, ScriptedModel
from tests.agents.requests import asking

pytestmark = pytest.mark.anyio


def bill(month: str) -> dict[str, float]:
    """The bill of a month."""
    if month == "never":
        raise LookupError("no such month")
    return {"amount": 39.95}


BILLING = Agent(name="billing", prompt="You help.", tools=[bill])


async def run(
    agent: Agent, model: Model | Callable[[str | None], Model], request: AgentRequest | None = None, **options: Any
) -> list[AgentEvent]:
    async with Engine(model, **options) as engine:
        return [event async for event in engine.ask(agent, request or asking("How much is my bill?"))]


def answer_of(events: list[AgentEvent]) -> str:
    assert [isinstance(event, Answer) for event in events] == [False] * (len(events) - 1) + [True]
    assert isinstance(events[-1], Answer)
    return events[-1].message.content


async def test_an_answer_streams_as_deltas_that_concatenate_to_it() -> None:
    events = await run(BILLING, ScriptedModel(["It is 39.95 EUR."]))
    assert events[:-1] == [Delta("It "), Delta("is "), Delta("39.95 "), Delta("EUR.")]
    assert events[-1] == Answer(Message(role="assistant", content="It is 39.95 EUR.", turn_id="t1"))


async def test_the_model_gets_instructions_transcript_and_tools() -> None:
    model = ScriptedModel(["Yes"])
    await run(BILLING, model, asking("Hello", "Hi, how can I help?", "My bill?"))
    asked = model.asked[0]
    assert [(message.role, message.content) for message in asked.messages] == [
        ("system", "You help."),
        ("user", "Hello"),
        ("assistant", "Hi, how can I help?"),
        ("user", "My bill?"),
    ]
    assert asked.tools == BILLING.specs


async def test_a_tool_is_called_and_its_result_goes_back_to_the_model() -> None:
    model = ScriptedModel([Calls(("bill", {"month": "2026-10"})), "39.95 EUR"])
    events = await run(BILLING, model)
    assert events[:2] == [
        ToolCall("call-1-0", "bill", {"month": "2026-10"}),
        ToolResult("call-1-0", "bill", '{"amount":39.95}'),
    ]
    assert answer_of(events) == "39.95 EUR"
    assert model.asked[1].messages[-1].tool_returns == (ModelToolReturn("call-1-0", "bill", '{"amount":39.95}'),)


FAILED_CALLS: list[tuple[tuple[str, dict[str, Any]], str]] = [
    (("bill", {"month": "never"}), "LookupError: no such month"),
    (("bill", {"mont": "x"}), "invalid arguments: month: Field required; mont: Extra inputs are not permitted"),
    (("nothing", {}), "Unknown tool name: 'nothing'. Available tools: 'bill'"),
]


@pytest.mark.parametrize(
    ("call", "error"),
    FAILED_CALLS,
    ids=["raises", "bad arguments", "unknown tool"],
)
async def test_a_failed_tool_call_is_told_to_the_model_which_goes_on(call: Any, error: str) -> None:
    model = ScriptedModel([Calls(call), "Sorry."])
    events = await run(BILLING, model)
    assert ToolResult("call-1-0", call[0], error=error) in events
    assert model.asked[1].messages[-1].tool_returns == (ModelToolReturn("call-1-0", call[0], error, is_error=True),)
    assert answer_of(events) == "Sorry."


async def test_several_failed_calls_in_a_row_do_not_end_the_turn() -> None:
    script = [Calls(("nothing", {}))] * 5 + [Calls(("bill", {}))] * 5
    assert answer_of(await run(BILLING, ScriptedModel([*script, "Sorry."]))) == "Sorry."


async def test_text_before_and_after_a_tool_call_is_one_answer_in_two_paragraphs() -> None:
    model = ScriptedModel([Calls(("bill", {"month": "1"}), text="Let me look."), "39.95 EUR"])
    events = await run(BILLING, model)
    assert answer_of(events) == "Let me look.\n\n39.95 EUR"
    assert "".join(event.text for event in events if isinstance(event, Delta)) == answer_of(events)


async def test_tools_of_one_round_run_at_once() -> None:
    both = asyncio.Barrier(2)

    async def meet() -> str:
        """Meet the other."""
        await both.wait()
        return "met"

    agent = Agent(name="a", tools=[meet])
    events = await run(agent, ScriptedModel([Calls(("meet", {}), ("meet", {})), "Done"]))
    assert sum(isinstance(event, ToolResult) and event.result == "met" for event in events) == 2


@pytest.mark.parametrize("in_thread", [True, False], ids=["sync tool", "async tool"])
async def test_what_a_tool_says_meanwhile_is_an_intermediate_message(in_thread: bool) -> None:
    def in_a_thread(turn: Turn) -> str:
        turn.emit("One moment")
        return "done"

    async def in_the_loop(turn: Turn) -> str:
        turn.emit("One moment")
        return "done"

    tool = in_a_thread if in_thread else in_the_loop
    agent = Agent(name="a", tools=[tool])
    events = await run(agent, ScriptedModel([Calls((tool.__name__, {})), "Done"]))
    said = events.index(Intermediate("One moment"))
    assert said < events.index(Delta("Done"))
    assert answer_of(events) == "Done"


def prompt_now(turn: Turn) -> str:
    return f"You help {turn.user_id} of {turn.tenant}."


async def prompt_later(turn: Turn) -> str:
    await asyncio.sleep(0)
    return f"You help {turn.user_id} of {turn.tenant}."


@pytest.mark.parametrize("prompt", [prompt_now, prompt_later], ids=["sync", "async"])
async def test_a_prompt_may_be_a_function_of_the_turn(prompt: Callable[[Turn], str | Awaitable[str]]) -> None:
    model = ScriptedModel(["Hi"])
    await run(Agent(name="a", prompt=prompt), model)
    assert model.asked[0].system == "You help ada of acme."


def broken_prompt(turn: Turn) -> str:
    raise KeyError(turn.user_id)


def no_text(turn: Turn) -> Any:
    return 7


@pytest.mark.parametrize(
    ("agent", "script", "message"),
    [
        (Agent(name="a"), [ModelError("quota used up")], "agent 'a': quota used up"),
        (Agent(name="a"), [RuntimeError("bug in a model")], "agent 'a' crashed: RuntimeError: bug in a model"),
        (Agent(name="a", prompt=broken_prompt), [], "its prompt function failed: KeyError: 'ada'"),
        (Agent(name="a", prompt=no_text), [], "its prompt function returned int, not a text"),
    ],
    ids=["model error", "model bug", "prompt raises", "prompt returns no text"],
)
async def test_what_cannot_be_answered_fails_the_turn_with_its_cause(agent: Agent, script: Any, message: str) -> None:
    with capture_logs(), pytest.raises(AgentFailed, match=message):
        await run(agent, ScriptedModel(script))


async def test_a_model_that_only_calls_tools_is_stopped() -> None:
    model = ScriptedModel([Calls(("bill", {"month": "1"}))] * 10)
    with pytest.raises(AgentFailed, match="asked its model 3 times without coming to an answer"):
        await run(BILLING, model, tool_rounds=3)
    assert len(model.asked) == 3


async def test_a_request_without_a_users_text_is_refused() -> None:
    request = AgentRequest("c", (Message(role="assistant", content="Hi"),), User(id="u"))
    with pytest.raises(AgentFailed, match="the last message must be the user's"):
        await run(BILLING, ScriptedModel(["Hi"]), request)


async def test_a_failed_provider_fails_the_turn_with_its_status() -> None:
    async with FakeOpenAI([HttpError(429, "slow down")]) as server:
        with pytest.raises(AgentFailed, match="answered HTTP 429: slow down"):
            await run(BILLING, lambda _: model_named(server.model))


async def test_a_provider_on_a_real_socket_calls_tools_too() -> None:
    async with FakeOpenAI([Calls(("bill", {"month": "2026-10"})), "39.95 EUR"]) as server:
        events = await run(BILLING, lambda _: model_named(server.model))
    assert answer_of(events) == "39.95 EUR"
    assert [type(event) for event in events[:2]] == [ToolCall, ToolResult]
    assert server.requests[1].body["messages"][-1]["content"] == '{"amount":39.95}'


async def test_each_agent_gets_the_model_it_names() -> None:
    asked: list[str | None] = []

    def resolve(name: str | None) -> Model:
        asked.append(name)
        return ScriptedModel([f"I am {name}"] * 2)

    async with Engine(resolve) as engine:
        for agent in (Agent(name="a", model="big"), Agent(name="b"), Agent(name="c", model="big")):
            events = [event async for event in engine.ask(agent, asking("Who?"))]
            assert answer_of(events) == f"I am {agent.model}"
    assert asked == ["big", None]


async def test_closing_the_events_cancels_a_waiting_model() -> None:
    waiting = asyncio.Event()

    async def sleep(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    model = ScriptedModel([Reply("late", delay=3600)], sleep=sleep)
    async with Engine(model) as engine:
        async with aclosing(engine.ask(BILLING, asking("Hi"))) as events:
            first = asyncio.ensure_future(anext(events))
            await waiting.wait()
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
        assert model.cancelled == 1


async def test_closing_the_events_cancels_a_running_tool() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        """Wait for ever."""
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    agent = Agent(name="a", tools=[wait])
    async with Engine(ScriptedModel([Calls(("wait", {}))])) as engine:
        async with aclosing(engine.ask(agent, asking("Hi"))) as events:
            assert await anext(events) == ToolCall("call-1-0", "wait", {})
            await started.wait()
        assert ended.is_set()


async def test_no_more_than_the_given_number_of_synchronous_tools_run_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        """Work a little."""
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.01)
        with lock:
            running -= 1

    work_call: tuple[str, dict[str, Any]] = ("work", {})
    agent = Agent(name="a", tools=[work])
    await run(agent, ScriptedModel([Calls(*[work_call] * 6), "Done"]), tool_threads=2)
    assert most == 2


async def test_conversations_that_run_at_once_do_not_mix() -> None:
    async def who(turn: Turn) -> str:
        """Who speaks."""
        await asyncio.sleep(0)
        return turn.conversation_id

    agent = Agent(name="a", tools=[who])
    script = [Reply(Calls(("who", {})), when="who")] + ["done"] * 20
    async with Engine(ScriptedModel(script)) as engine:

        async def converse(number: int) -> list[str]:
            events = engine.ask(agent, asking("who am I?", conversation=f"c{number}"))
            return [event.result async for event in events if isinstance(event, ToolResult)]

        results = await asyncio.gather(*(converse(number) for number in range(20)))
    assert results == [[f"c{number}"] for number in range(20)]


async def test_a_tool_error_with_the_authors_words_reaches_the_event() -> None:
    def broken() -> None:
        """Break."""
        raise ToolError("You have no bills yet.")

    events = await run(Agent(name="a", tools=[broken]), ScriptedModel([Calls(("broken", {})), "Sorry."]))
    assert ToolResult("call-1-0", "broken", error="You have no bills yet.") in events


class Closable(ScriptedModel):
    """Tells whether it was closed."""

    closed = False

    async def aclose(self) -> None:
        self.closed = True


async def test_an_engine_closes_the_models_that_were_made_for_it_and_no_other() -> None:
    given, made = Closable(["Hello"]), Closable(["Hello"])
    await run(BILLING, given)
    await run(BILLING, lambda _: made)
    assert (given.closed, made.closed) == (False, True)
