"""Workers that take keys from a queue and reconcile them, and decide what a failure means.

The manager runs one controller per kind. It knows nothing of kinds: `reconcile` reads, computes and writes. Failures:

    TerminalError       the same state would fail again: logged, forgotten until the object changes
    StoreError          the store refused or did not answer: logged, tried again with backoff
    (too slow)          cancelled after `timeout` seconds: logged, tried again with backoff
    any other           a bug: logged with its traceback, tried again with backoff, and other keys go on

A reconcile that went well but waits for something outside (a document that cannot be fetched yet) returns a `Requeue`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import anyio
from prometheus_client import Counter

from lmos.operator import metrics, reasons
from lmos.operator.base import Conflict, StoreError
from lmos.operator.queue import KeyQueue, QueueClosed
from lmos.telemetry import names
from lmos.telemetry.logs import logger
from lmos.telemetry.spans import tracer

__all__ = ["Controller", "Reconcile", "Requeue", "TerminalError"]

DEFAULT_WORKERS: Final = 32
"""Of a controller: some Agents wait for servers that do not answer; and answers that come together cost less CPU."""
RECONCILE_TIMEOUT: Final = 120.0
"""Seconds: longer than two writes to an API server that answers each at its last moment."""

K = TypeVar("K", bound=tuple[str, str])


class TerminalError(Exception):
    """This object cannot be reconciled as it is; trying again without a change is useless."""


class _TooSlow(Exception):
    """A reconcile was cancelled because it took too long."""


@dataclass(frozen=True, slots=True)
class Requeue:
    """Reconcile the key again after `after` seconds; `None`: with a delay that grows while this is the answer."""

    after: float | None = None


Reconcile = Callable[[K], Awaitable[Requeue | None]]


class Controller(Generic[K]):
    """`workers` tasks that call `reconcile(key)`; never two at once for one key (the queue sees to that).

    `faults` holds, by namespace, what the store said in the last reconcile there, if that failed.
    """

    def __init__(
        self,
        name: str,
        queue: KeyQueue[K],
        reconcile: Reconcile[K],
        *,
        workers: int = DEFAULT_WORKERS,
        timeout: float = RECONCILE_TIMEOUT,
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers is {workers}; a controller needs at least 1")
        self._name = name
        self._queue = queue
        self._reconcile = reconcile
        self._workers = workers
        self._timeout = timeout
        self.faults: dict[str, StoreError] = {}
        self._log = logger("operator").bind(controller=name)
        metrics.MAX_CONCURRENT_RECONCILES.labels(name).set(workers)
        self._active = metrics.ACTIVE_WORKERS.labels(name)
        self._seconds = metrics.RECONCILE_SECONDS.labels(name)

    async def run(self) -> None:
        """Work until the queue is closed and what was being worked on is finished."""
        async with anyio.create_task_group() as group:
            for _ in range(self._workers):
                group.start_soon(self._work)

    async def _work(self) -> None:
        while True:
            try:
                key = await self._queue.get()
            except QueueClosed:
                return
            with (
                self._active.track_inprogress(),
                self._seconds.time(),
                tracer.start_as_current_span(names.SPAN_RECONCILE) as span,
            ):
                result = await self._one(key)
                span.set_attributes(
                    {
                        names.CONTROLLER: self._name,
                        names.OBJECT_NAMESPACE: key[0],
                        names.OBJECT_NAME: key[1],
                        names.RECONCILE_RESULT: result,
                    }
                )

    async def _one(self, key: K) -> str:
        """Reconcile `key`, whatever happens; the result as metrics name it."""
        result = metrics.RESULT_ERROR
        try:
            requeue = await self._limited(key)
        except TerminalError as fault:
            self._failed(metrics.TERMINAL_RECONCILE_ERRORS)
            self._log.error(reasons.EVENT_RECONCILE_TERMINAL, namespace=key[0], object=key[1], error=str(fault))
            self._queue.done(key)
        except StoreError as fault:
            delay = self._queue.retry(key)
            self._failed()
            self.faults[key[0]] = fault
            # A conflict is the ordinary outcome of a race, as when a channel is deleted while it is reconciled.
            log = self._log.info if isinstance(fault, Conflict) else self._log.warning
            log(
                reasons.EVENT_RECONCILE_RETRY,
                namespace=key[0],
                object=key[1],
                error=f"{type(fault).__name__}: {fault}",
                delay=delay,
            )
        except _TooSlow:
            delay = self._queue.retry(key)
            self._failed(metrics.RECONCILE_TIMEOUTS)
            self._log.warning(
                reasons.EVENT_RECONCILE_TIMEOUT, namespace=key[0], object=key[1], timeout=self._timeout, delay=delay
            )
        except Exception:  # noqa: BLE001 - the border of a reconcile: a bug met by one key must not stop the others
            delay = self._queue.retry(key)
            self._failed(metrics.RECONCILE_PANICS)
            self._log.exception(reasons.EVENT_RECONCILE_PANIC, namespace=key[0], object=key[1], delay=delay)
        else:
            self.faults.pop(key[0], None)
            if requeue is None:
                result = metrics.RESULT_SUCCESS
                self._queue.done(key)
            else:
                result = metrics.RESULT_REQUEUE if requeue.after is None else metrics.RESULT_REQUEUE_AFTER
                self._queue.park(key, requeue.after)
        metrics.RECONCILES.labels(self._name, result).inc()
        return result

    async def _limited(self, key: K) -> Requeue | None:
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                return await self._reconcile(key)
        except TimeoutError as fault:
            if limit.expired():
                raise _TooSlow from fault
            raise

    def _failed(self, kind: Counter | None = None) -> None:
        metrics.RECONCILE_ERRORS.labels(self._name).inc()
        if kind is not None:
            kind.labels(self._name).inc()
