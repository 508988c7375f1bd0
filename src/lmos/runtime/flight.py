"""A turn in flight: one task that works, one ordered list of recorded events, any number of readers.

The runtime uses it so that equal posts share one turn. It knows nothing of what a turn does: `work` records events.
An event reaches readers only after the turn log has made it durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Self

from lmos.clock import Clock
from lmos.conversation.errors import TurnCancelled, TurnConflict, TurnError
from lmos.conversation.events import TurnEvent, TurnStarted
from lmos.conversation.turn import TurnKey
from lmos.runtime.base import Begun, TurnLog, TurnSummary

__all__ = ["Flight", "Recorder"]


class Recorder:
    """Stamps events with `seq` and `at`, appends them to the log and publishes them once they are durable.

    `error` is what the log failed with: nothing is published after it.
    """

    def __init__(
        self, log: TurnLog, key: TurnKey, clock: Clock, publish: Callable[[Sequence[TurnEvent]], None]
    ) -> None:
        self._log = log
        self._key = key
        self._clock = clock
        self._publish = publish
        self._last: asyncio.Future[Any] | None = None
        # What is claimed and recorded in one go of the loop reaches the log in one go: one transaction.
        self._claim: Callable[[], None] | None = None
        self._pending: list[TurnEvent] = []
        self.error: BaseException | None = None
        self.next_seq = 0

    def claim(self, fingerprint: str, started: TurnStarted, seq: int) -> None:
        """Claim the turn without waiting, with `started` as event `seq`."""
        self.next_seq = seq + 1
        self._claim = partial(self._submit_claim, fingerprint, started, seq)
        asyncio.get_running_loop().call_soon(self._submit)

    def record(self, *events: TurnEvent) -> None:
        """Append without waiting; what is recorded in one go is appended in one go.

        Raises what an earlier append of this turn failed with.
        """
        if self.error is not None:
            raise self.error
        now = self._clock.now()
        if not self._pending and self._claim is None:
            asyncio.get_running_loop().call_soon(self._submit)
        for event in events:
            self._pending.append(event.model_copy(update={"seq": self.next_seq, "at": now}))
            self.next_seq += 1

    async def flush(self) -> None:
        """Wait until everything recorded is durable. Raises what the log raised first."""
        self._submit()
        if self._last is not None:
            # Not its own error is told, but the first: what follows a failed claim fails for want of it.
            await asyncio.wait([self._last])
        if self.error is not None:
            raise self.error

    def _submit(self) -> None:
        claim, self._claim = self._claim, None
        events, self._pending = self._pending, []
        try:
            if claim is not None:
                claim()
            if events:
                self._last = self._log.submit(self._key, events)
                self._last.add_done_callback(lambda done: self._landed(done, events))
        except Exception as error:  # noqa: BLE001 - it has no caller: `record` and `flush` raise it
            self.error = self.error or error

    def _submit_claim(self, fingerprint: str, started: TurnStarted, seq: int) -> None:
        expected = Begun("started", started.attempt, seq + 1)
        self._last = claimed = self._log.claim(self._key, fingerprint, started)
        claimed.add_done_callback(lambda done: self._claimed(done, expected, started.model_copy(update={"seq": seq})))

    def _claimed(self, done: asyncio.Future[Begun], expected: Begun, started: TurnStarted) -> None:
        if not done.cancelled() and done.exception() is None and done.result() != expected:
            self.error = TurnConflict(f"turn {self._key.turn!r} is taken by another runtime; post it again")
        self._landed(done, [started])

    def _landed(self, done: asyncio.Future[Any], events: Sequence[TurnEvent]) -> None:
        if done.cancelled():
            self.error = self.error or asyncio.CancelledError()
        elif (error := done.exception()) is not None:
            self.error = self.error or error
        elif self.error is None:  # the log keeps order, so a gap can only follow an error
            self._publish(events)


class Flight:
    """One key's turn. Readers iterate `events(after)`; when the last leaves, the work is cancelled after a grace."""

    def __init__(self, key: TurnKey, fingerprint: str, log: TurnLog, clock: Clock) -> None:
        self.key = key
        self.fingerprint = fingerprint
        self.recorder = Recorder(log, key, clock, self._publish)
        self.attempt = 1
        self.cancelled_as: TurnError = TurnCancelled("everyone who waited for the turn has left")
        self._log = log
        self._events: list[TurnEvent] = []
        self._first_seq = 0
        self._changed = asyncio.Event()
        self._readers = 0
        self._leaving: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Callable[[Self], Awaitable[None]], on_end: Callable[[Self], None]) -> None:
        """Run `work` as a task; `on_end` is called when it is over, whatever happened."""
        self._task = asyncio.create_task(self._run(work, on_end), name=f"turn {self.key.turn}")

    async def begin(self, started: TurnStarted, history: int) -> Sequence[TurnSummary] | None:
        """Claim the turn: the conversation's `history` turns before it, or `None` when it is complete and published.

        The claim becomes durable while the turn works; nothing is shown before. Raises `TurnConflict` when the turn id
        was used with another body, and what the log raises.
        """
        found = await self._log.look_up(self.key, history)
        known = found.known
        if known is not None and known.fingerprint != self.fingerprint:
            raise TurnConflict(
                f"turn {self.key.turn!r} of conversation {self.key.conversation!r} was posted with another body; "
                "use a new turn id for a new message"
            )
        if known is not None and known.state == "completed":
            events = await self._log.read(self.key)
            self._first_seq = max(e.seq for e in events if e.type == "TurnStarted")
            self._publish(events[self._first_seq :])
            return None
        self.attempt = known.attempt + 1 if known else 1
        self._first_seq = known.next_seq if known else 0
        self.recorder.claim(self.fingerprint, started.model_copy(update={"attempt": self.attempt}), self._first_seq)
        return found.earlier

    async def events(
        self, after: int = -1, grace: float = 0.0, *, whole: bool = False
    ) -> AsyncGenerator[TurnEvent, None]:
        """Events with `seq > after`: from the log what came before this attempt, then live until the turn ends.

        Without `after`, only this attempt's events, unless `whole`. Raises what kept the turn from being recorded
        (`TurnConflict`, a fault of the log). A reader that leaves last cancels the turn after `grace` seconds.
        """
        self._join()
        try:
            if whole or after >= 0:
                await self._wait_for_first()
                for event in await self._log.read(self.key, after):
                    if event.seq < self._first_seq:
                        yield event
            position = 0
            while True:
                while position < len(self._events):
                    event = self._events[position]
                    position += 1
                    if event.seq > after:
                        yield event
                if self.over:
                    if self._error is not None:
                        raise self._error
                    return
                await self._changed.wait()
        finally:
            self._leave(grace)

    @property
    def over(self) -> bool:
        """Whether the turn has ended and every event of it is published."""
        return self._task is not None and self._task.done()

    async def cancel(self, error: TurnError) -> None:
        """Cancel the work and wait until its end is recorded, as `error`."""
        if self._task is not None and not self._task.done():
            self.cancelled_as = error
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, work: Callable[[Self], Awaitable[None]], on_end: Callable[[Self], None]) -> None:
        try:
            await work(self)
        except Exception as error:  # noqa: BLE001 - the border of a turn: readers get it, other turns do not
            self._error = error
        finally:
            if self._leaving is not None:
                self._leaving.cancel()
            on_end(self)
            # The task counts as done only after this frame: wake readers in the next iteration of the loop.
            asyncio.get_running_loop().call_soon(self._wake)

    def _publish(self, events: Sequence[TurnEvent]) -> None:
        self._events.extend(events)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait_for_first(self) -> None:
        while not self._events and not self.over:
            await self._changed.wait()

    def _join(self) -> None:
        self._readers += 1
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _leave(self, grace: float) -> None:
        self._readers -= 1
        if self._readers == 0 and not self.over:
            self._leaving = asyncio.get_running_loop().call_later(grace, self._abandon)

    def _abandon(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
