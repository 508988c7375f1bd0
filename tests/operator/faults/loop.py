"""An event loop whose time is virtual, and processes on it that can be paused, killed and buried.

A schedule runs hours of several operators in milliseconds: the loop never waits, it moves its clock to the next timer.
A `Process` is what runs in one context: a paused one runs no code whatever becomes due, as after SIGSTOP, and then
finds everything at once; of a killed one no code ever runs again, no `finally` either, as after SIGKILL. There is no
I/O: what waits for nothing that could come is an error.
"""

from __future__ import annotations

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from heapq import heappush
from inspect import CORO_CREATED, getcoroutinestate, iscoroutine
from typing import Any, Final
from weakref import WeakSet

__all__ = ["LoopClock", "Process", "Stuck", "VirtualLoop", "outside"]

_RUNS: Final[ContextVar[Process | None]] = ContextVar("process", default=None)


class Stuck(RuntimeError):
    """Everybody waits, and there is nothing to wait for."""


class _Time:
    """What the loop takes for its selector: instead of waiting for sockets, it moves the clock."""

    def __init__(self) -> None:
        self.now = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck("everybody waits, and there is nothing to wait for")
        self.now += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in order, and nothing of processes that are paused or dead."""

    _ready: deque[events.Handle]
    _scheduled: list[events.TimerHandle]

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Time()
        self._timers = 0

    def time(self) -> float:
        return self._selector.now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> events.Handle:
        handle = _Handle(callback, args, self, context)
        self.enqueue(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> events.TimerHandle:
        timer = _TimerHandle(when, callback, args, self, context)
        self._timers += 1
        timer.number = self._timers
        heappush(self._scheduled, timer)
        timer.mark()
        return timer

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task = super().create_task(coro, **options)
        context: Context | None = options.get("context")
        process = _RUNS.get() if context is None else context.get(_RUNS)
        if process is not None:
            process.own(task)
        return task

    def enqueue(self, handle: events.Handle) -> None:
        """Run it in the next round."""
        self._ready.append(handle)

    def _process_events(self, event_list: Iterable[Any]) -> None:
        """There is no I/O."""

    def _write_to_self(self) -> None:
        """No thread has to wake us."""


class _Handle(events.Handle):
    """A callback that is run only while its process runs."""

    __slots__ = ()

    def _run(self) -> None:
        process = self._context.get(_RUNS)
        if process is None or not process.takes(self):
            super()._run()


class _TimerHandle(events.TimerHandle):
    """One that becomes due; of two that become due together, the one that was made first comes first."""

    __slots__ = ("number",)
    number: int

    def mark(self) -> None:
        """It is among the loop's timers: a cancelled one is counted there."""
        self._scheduled = True

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _TimerHandle):
            return NotImplemented
        return (self._when, self.number) < (other._when, other.number)

    def _run(self) -> None:
        process = self._context.get(_RUNS)
        if process is None or not process.takes(self):
            super()._run()


class Process:
    """What is started by `run`, with all that it starts in turn. `on_death` is what the world does then."""

    def __init__(self, loop: VirtualLoop, name: str) -> None:
        self.name = name
        self.paused = False
        self.dead = False
        self.buried = False
        """Its code may run once more, to end; it reaches nothing."""
        self.on_death: list[Callable[[], None]] = []
        self._loop = loop
        self._held: list[events.Handle] = []
        self._tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._context = copy_context()
        self._context.run(_RUNS.set, self)

    @property
    def runs(self) -> bool:
        return not (self.paused or self.dead)

    def run(self, main: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start `main` in this process."""
        return self._loop.create_task(main, name=self.name, context=self._context)

    def own(self, task: asyncio.Task[Any]) -> None:
        """A task that this process has started."""
        self._tasks.add(task)

    def pause(self) -> None:
        """As SIGSTOP."""
        self.paused = True

    def go_on(self) -> None:
        """As SIGCONT: what became due meanwhile comes first, in order."""
        self.paused = False
        if not self.dead:
            self._release()

    def kill(self) -> None:
        """As SIGKILL."""
        self.dead = True
        for callback in self.on_death:
            callback()

    async def bury(self) -> None:
        """End what a dead process has left, so that it can be forgotten; its connections must be closed before."""
        self.dead = self.paused = False
        self.buried = True
        self._release()
        while any(_is_unbegun(task) for task in self._tasks):  # noqa: ASYNC110 - it could not be ended without a warning
            await asyncio.sleep(0)
        tasks = [task for task in self._tasks if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def takes(self, handle: events.Handle) -> bool:
        """Keep a callback back, unless this process runs."""
        if self.runs:
            return False
        self._held.append(handle)
        return True

    def _release(self) -> None:
        held, self._held = self._held, []
        for handle in held:
            if not handle.cancelled():
                self._loop.enqueue(handle)


def _is_unbegun(task: asyncio.Task[Any]) -> bool:
    work = task.get_coro()
    return not task.done() and iscoroutine(work) and getcoroutinestate(work) == CORO_CREATED


def outside() -> Context:
    """The context of what belongs to no process: the network, the server."""
    context = copy_context()
    context.run(_RUNS.set, None)
    return context


class LoopClock:
    """A `Clock` that goes with the loop. Ids count, so that a schedule can be told again."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._start = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
        self._ids = 0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time()

    def new_id(self) -> str:
        self._ids += 1
        return f"00000000-0000-4000-8000-{self._ids:012d}"
