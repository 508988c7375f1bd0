"""`Runtime` and its log against a model of what turns may do, over restarts, in sequences that hypothesis chooses."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lmos.conversation.errors import AgentFailed, TurnConflict
from lmos.conversation.events import MessageCompleted, TurnCompleted, TurnEvent, TurnFailed, TurnStarted
from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer, Intermediate
from lmos.conversation.messages import Message
from lmos.conversation.turn import TurnKey
from lmos.runtime.runtime import Runtime
from tests.runtime.fakes import ScriptedClient, a_runtime, play, turn

T = TypeVar("T")

TURNS = st.sampled_from(["t1", "t2", "t3"])
TEXTS = st.sampled_from(["billing", "billing, please"])


@dataclass
class Known:
    """What the model knows of a turn: its body, whether it is complete, all events that were ever shown."""

    text: str
    completed: bool = False
    attempts: int = 0
    events: list[TurnEvent] = field(default_factory=list[TurnEvent])


class Turns(RuleBasedStateMachine):
    """Posts turns of one conversation to an agent that the rules make fail, and restarts the platform."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Known] = {}
        self.asked = 0
        self.failing = False
        self.hanging = False
        self._loop = asyncio.new_event_loop()
        self._folder = tempfile.TemporaryDirectory()
        self._running: AbstractAsyncContextManager[tuple[Runtime, ScriptedClient]] | None = None
        self._start()

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def _start(self) -> None:
        self._running = a_runtime(Path(self._folder.name), {"billing": self._agent})
        self.runtime, _ = self._await(self._running.__aenter__())

    def _stop(self) -> None:
        assert self._running is not None
        self._await(self._running.__aexit__(None, None, None))

    async def _agent(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        self.asked += 1
        yield Intermediate("One moment")
        if self.hanging:
            await asyncio.Event().wait()
        if self.failing:
            raise AgentFailed("the agent is away", summary="cannot be reached")
        yield Answer(Message(role="assistant", content=f"{request.turn_id}: {request.query}"))

    def teardown(self) -> None:
        self._stop()
        self._loop.close()
        self._folder.cleanup()

    @rule(turn_id=TURNS, text=TEXTS)
    def post(self, turn_id: str, text: str) -> None:
        asked = self.asked
        known = self.known.get(turn_id)
        if known is not None and known.text != text:
            self._conflicts(turn_id, text)
            return
        events = self._await(play(self.runtime, turn(text, turn_id)))
        if known is not None and known.completed:
            assert self.asked == asked
            assert events == self._last_attempt(known)
            return
        assert self.asked == asked + 1
        self._one_more_attempt(turn_id, text, events)

    @rule(turn_id=TURNS, text=TEXTS, readers=st.integers(2, 4))
    def post_equal_turns_at_once(self, turn_id: str, text: str, readers: int) -> None:
        known, asked = self.known.get(turn_id), self.asked
        if known is not None and (known.completed or known.text != text):
            return

        async def all_at_once() -> list[list[TurnEvent]]:
            return await asyncio.gather(*(play(self.runtime, turn(text, turn_id)) for _ in range(readers)))

        shown = self._await(all_at_once())
        assert self.asked == asked + 1
        assert all(events == shown[0] for events in shown)
        self._one_more_attempt(turn_id, text, shown[0])

    @rule(turn_id=TURNS, after=st.integers(-1, 6))
    def resume(self, turn_id: str, after: int) -> None:
        known = self.known.get(turn_id)
        if known is None or not known.completed:
            return
        events = self._await(play(self.runtime, turn(known.text, turn_id), after=after))
        wanted = known.events if after >= 0 else self._last_attempt(known)
        assert events == [event for event in wanted if event.seq > after]

    @rule(turn_id=TURNS, text=TEXTS, stop_after=st.integers(1, 4))
    def leave_early(self, turn_id: str, text: str, stop_after: int) -> None:
        """A reader that leaves cancels the turn; what it saw must be in the log, and the turn may be posted again."""
        known = self.known.get(turn_id)
        if known is not None and (known.completed or known.text != text):
            return

        async def read_some() -> list[TurnEvent]:
            events = self.runtime.handle(turn(text, turn_id))
            seen = [await anext(events) for _ in range(stop_after)]
            await events.aclose()
            await self.runtime.stop_turns()
            return seen

        self.hanging = True
        seen = self._await(read_some())
        self.hanging = False
        logged = self._logged(turn_id)
        before = known.events if known else []
        assert logged[: len(before)] == before
        assert logged[len(before) : len(before) + len(seen)] == seen
        self._one_more_attempt(turn_id, text, logged[len(before) :])

    @rule()
    def restart(self) -> None:
        self._stop()
        self._start()

    @rule(failing=st.booleans())
    def the_agent_fails_from_now_on(self, failing: bool) -> None:
        self.failing = failing

    @invariant()
    def the_log_holds_every_event_that_was_shown_and_no_other(self) -> None:
        for turn_id, known in self.known.items():
            logged = self._logged(turn_id)
            assert logged == known.events
            assert [event.seq for event in logged] == list(range(len(logged)))
            assert sum(isinstance(event, TurnCompleted) for event in logged) == known.completed

    def _logged(self, turn_id: str) -> list[TurnEvent]:
        async def read() -> list[TurnEvent]:
            return [event async for event in self.runtime.follow(TurnKey("acme", "c1", turn_id))]

        return self._await(read())

    def _conflicts(self, turn_id: str, text: str) -> None:
        asked = self.asked
        try:
            self._await(play(self.runtime, turn(text, turn_id)))
        except TurnConflict:
            assert self.asked == asked
        else:
            raise AssertionError("another body under one turn id was accepted")

    def _last_attempt(self, known: Known) -> list[TurnEvent]:
        starts = [position for position, event in enumerate(known.events) if isinstance(event, TurnStarted)]
        return known.events[starts[-1] :]

    def _one_more_attempt(self, turn_id: str, text: str, events: list[TurnEvent]) -> None:
        known = self.known.setdefault(turn_id, Known(text))
        known.attempts += 1
        first, last = events[0], events[-1]
        assert isinstance(first, TurnStarted)
        assert first.attempt == known.attempts
        known.events += events
        if isinstance(last, TurnCompleted):
            known.completed = True
            (said,) = [event for event in events if isinstance(event, MessageCompleted)]
            assert said.message.content == f"{turn_id}: {text}"
        else:
            assert isinstance(last, TurnFailed)


Turns.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestTurns = Turns.TestCase
