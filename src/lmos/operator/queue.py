"""A queue of keys to reconcile: each key waits at most once, is worked on by one worker, and backs off on failure.

Informers add to it, a controller's workers take from it. It knows keys, not objects: a reconcile reads the latest state
itself, so any number of changes to one key cost one reconcile. Times are the event loop's, hence virtual in tests. Not
thread-safe: one event loop uses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable
from typing import Final, Generic, TypeVar

from lmos.operator import metrics

__all__ = ["BASE_DELAY", "MAX_DELAY", "KeyQueue", "QueueClosed"]

BASE_DELAY: Final = 0.2
MAX_DELAY: Final = 300.0

K = TypeVar("K", bound=Hashable)


class QueueClosed(Exception):
    """Nothing more comes from this queue."""


class KeyQueue(Generic[K]):
    """First in, first out, without duplicates.

    A key added while it waits is there already; one added while it is worked on comes again after `done`; one added
    while it backs off comes at once. Failures of a key double its delay from `base` to `cap` seconds until `done`.
    A key that is parked comes again later, too, but counts as done: nothing is owed until then.
    """

    def __init__(self, name: str, *, base: float = BASE_DELAY, cap: float = MAX_DELAY) -> None:
        self._base = base
        self._cap = cap
        self._queue: asyncio.Queue[K | None] = asyncio.Queue()
        self._waiting: dict[K, float] = {}
        self._working: dict[K, float] = {}
        self._dirty: set[K] = set()
        self._delayed: dict[K, asyncio.TimerHandle] = {}
        self._parked: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._drains: list[tuple[set[K], asyncio.Event]] = []
        self._closed = False
        self._depth = metrics.QUEUE_DEPTH.labels(name)
        self._adds = metrics.QUEUE_ADDS.labels(name)
        self._retries = metrics.QUEUE_RETRIES.labels(name)
        self._seconds = metrics.QUEUE_SECONDS.labels(name)
        self._work_seconds = metrics.QUEUE_WORK_SECONDS.labels(name)
        self._time: Callable[[], float] = _now
        # Computed when they are read: a worker that hangs never comes back to tell how long it has been at it.
        metrics.QUEUE_UNFINISHED_SECONDS.labels(name).set_function(self.unfinished)
        metrics.QUEUE_LONGEST_SECONDS.labels(name).set_function(self.longest)

    def __len__(self) -> int:
        """Keys that wait for a worker; those that are worked on or back off do not count."""
        return len(self._waiting)

    @property
    def pending(self) -> frozenset[K]:
        """Keys that wait, are worked on, or back off."""
        return frozenset((*self._waiting, *self._working, *self._delayed))

    def unfinished(self) -> float:
        """Seconds that the keys now worked on have taken together so far; 0 once the queue is closed."""
        return sum(self._running())

    def longest(self) -> float:
        """Seconds that the key longest worked on has taken so far."""
        return max(self._running(), default=0.0)

    def add(self, key: K) -> None:
        """Ask for a reconcile of `key`; a closed queue ignores it."""
        for timers in (self._delayed, self._parked):
            if (timer := timers.pop(key, None)) is not None:
                timer.cancel()
        if self._closed or key in self._waiting:
            return
        if key in self._working:
            self._dirty.add(key)
            return
        self._waiting[key] = self._time()
        self._queue.put_nowait(key)
        self._adds.inc()
        self._depth.inc()

    async def get(self) -> K:
        """The next key; the caller then calls `done` or `retry`. Raises `QueueClosed`."""
        key = await self._queue.get()
        if key is None or self._closed:
            self._queue.put_nowait(None)  # the other workers end too
            raise QueueClosed
        if self._time is _now:  # asking for the loop is a system call on CPython 3.11
            self._time = asyncio.get_running_loop().time
        now = self._time()
        self._seconds.observe(now - self._waiting.pop(key))
        self._depth.dec()
        self._working[key] = now
        return key

    def done(self, key: K) -> None:
        """The reconcile of `key` ended well, or trying it again without a change is useless."""
        self._failures.pop(key, None)
        if not self._again(key):
            self._settle(key)

    def retry(self, key: K) -> float:
        """The reconcile of `key` failed: it comes again after the delay that is returned, in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._retries.inc()
        if self._again(key) or self._closed:
            return 0.0
        delay = self._backoff(failures)
        self._delayed[key] = asyncio.get_running_loop().call_later(delay, self.add, key)
        return delay

    def park(self, key: K, delay: float | None = None) -> float:
        """The reconcile of `key` ended well, and is wanted again after `delay` seconds, or, without, with backoff.

        Returns the delay.
        """
        failures = self._failures.pop(key, 0)
        if self._again(key) or self._closed:
            return 0.0
        if delay is None:
            self._failures[key] = failures + 1
            delay = self._backoff(failures)
        self._parked[key] = asyncio.get_running_loop().call_later(delay, self.add, key)
        self._settle(key)
        return delay

    async def drained(self) -> None:
        """Wait until every key that is pending now was reconciled with what was known now, or later."""
        keys = set(self.pending)
        if not keys:
            return
        event = asyncio.Event()
        self._drains.append((keys, event))
        try:
            await event.wait()
        finally:
            self._drains.remove((keys, event))

    def close(self) -> None:
        """End `get` for all workers; what waits or backs off is dropped, what is worked on may still finish."""
        self._closed = True
        for timers in (self._delayed, self._parked):
            for timer in timers.values():
                timer.cancel()
            timers.clear()
        self._depth.dec(len(self._waiting))
        self._waiting.clear()
        self._queue.put_nowait(None)

    def _running(self) -> Iterable[float]:
        # A closed queue's workers may have been cancelled: what they held is nobody's work any more.
        return () if self._closed else [self._time() - began for began in self._working.values()]

    def _backoff(self, failures: int) -> float:
        return min(self._cap, self._base * 2.0 ** min(failures, 64))

    def _again(self, key: K) -> bool:
        """Take `key` from the worker; true when a change came meanwhile, so that it waits again."""
        if (began := self._working.pop(key, None)) is not None:
            self._work_seconds.observe(self._time() - began)
        if key not in self._dirty:
            return False
        self._dirty.discard(key)
        self.add(key)
        return True

    def _settle(self, key: K) -> None:
        for keys, event in self._drains:
            keys.discard(key)
            if not keys:
                event.set()


def _now() -> float:
    return asyncio.get_running_loop().time()
