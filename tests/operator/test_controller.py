"""What a controller does with failures."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import looptime
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from lmos.operator import reasons
from lmos.operator.base import Conflict, StoreError
from lmos.operator.cache import Name
from lmos.operator.controller import Controller, TerminalError
from lmos.operator.queue import KeyQueue

pytestmark = pytest.mark.anyio

A, B = ("default", "a"), ("default", "b")


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


class Work:
    """A reconcile that raises `faults` one after the other, then succeeds."""

    def __init__(self, *faults: Exception) -> None:
        self.queue: KeyQueue[Name] = KeyQueue("test", base=1.0)
        self.runs: Counter[Name] = Counter()
        self._faults = list(faults)

    async def reconcile(self, key: Name) -> None:
        self.runs[key] += 1
        if self._faults:
            raise self._faults.pop(0)

    @asynccontextmanager
    async def running(self, workers: int = 1) -> AsyncGenerator[list[MutableMapping[str, Any]], None]:
        with capture_logs() as logs:
            task = asyncio.create_task(Controller("test", self.queue, self.reconcile, workers=workers).run())
            yield logs
            self.queue.close()
            await task


def _count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"lmos_operator_{name}", {"controller": "test"} | labels) or 0.0


@pytest.mark.parametrize(
    ("fault", "event", "level"),
    [
        (StoreError("away"), reasons.EVENT_RECONCILE_RETRY, "warning"),
        (Conflict("moved on"), reasons.EVENT_RECONCILE_RETRY, "info"),
        (ZeroDivisionError("a bug"), reasons.EVENT_RECONCILE_PANIC, "error"),
    ],
    ids=["store", "conflict", "bug"],
)
async def test_a_failure_is_one_log_line_and_a_retry(fault: Exception, event: str, level: str) -> None:
    work = Work(fault)
    async with work.running() as logs:
        work.queue.add(A)
        await work.queue.drained()
    assert work.runs[A] == 2
    assert [(line["event"], line["log_level"], line["delay"]) for line in logs] == [(event, level, 1.0)]
    assert (logs[0]["namespace"], logs[0]["object"]) == A


async def test_a_terminal_failure_waits_for_a_change() -> None:
    work = Work(TerminalError("it cannot work like this"))
    async with work.running() as logs:
        work.queue.add(A)
        await work.queue.drained()
        await asyncio.sleep(1000)
        assert work.runs[A] == 1
        work.queue.add(A)
        await work.queue.drained()
        assert work.runs[A] == 2
    assert [line["event"] for line in logs] == [reasons.EVENT_RECONCILE_TERMINAL]


async def test_a_failing_key_lets_others_pass() -> None:
    work = Work(StoreError("away"))
    async with work.running():
        work.queue.add(A)
        work.queue.add(B)
        await asyncio.sleep(0.5)
        assert work.runs == {A: 1, B: 1}
        await work.queue.drained()
    assert work.runs == {A: 2, B: 1}


async def test_results_are_counted() -> None:
    before = [
        _count("reconcile_total", result="error"),
        _count("reconcile_total", result="success"),
        _count("reconcile_errors_total"),
        _count("reconcile_panics_total"),
        _count("terminal_reconcile_errors_total"),
        _count("reconcile_time_seconds_count"),
    ]
    work = Work(StoreError("away"), ZeroDivisionError("a bug"), TerminalError("no"))
    async with work.running():
        work.queue.add(A)
        await work.queue.drained()
        work.queue.add(A)
        await work.queue.drained()
    after = [
        _count("reconcile_total", result="error"),
        _count("reconcile_total", result="success"),
        _count("reconcile_errors_total"),
        _count("reconcile_panics_total"),
        _count("terminal_reconcile_errors_total"),
        _count("reconcile_time_seconds_count"),
    ]
    assert [now - then for now, then in zip(after, before, strict=True)] == [3, 1, 3, 1, 1, 4]


async def test_workers_run_side_by_side_but_never_on_one_key() -> None:
    running: Counter[Name] = Counter()
    most = 0
    queue: KeyQueue[Name] = KeyQueue("test")

    async def reconcile(key: Name) -> None:
        nonlocal most
        running[key] += 1
        assert running[key] == 1
        most = max(most, running.total())
        queue.add(B)
        await asyncio.sleep(1)
        running[key] -= 1

    task = asyncio.create_task(Controller("test", queue, reconcile, workers=4).run())
    for number in range(6):
        queue.add(("default", f"key-{number}"))
    await asyncio.sleep(10)
    queue.close()
    await task
    assert most == 4


async def test_closing_the_queue_lets_only_the_running_reconcile_finish() -> None:
    finished: list[Name] = []
    queue: KeyQueue[Name] = KeyQueue("test")

    async def reconcile(key: Name) -> None:
        await asyncio.sleep(1)
        finished.append(key)

    task = asyncio.create_task(Controller("test", queue, reconcile, workers=2).run())
    queue.add(A)
    await asyncio.sleep(0.5)
    queue.add(B)
    queue.close()
    await task
    assert finished == [A]


async def test_a_controller_needs_a_worker() -> None:
    with pytest.raises(ValueError, match="workers is 0"):
        Controller("test", Work().queue, Work().reconcile, workers=0)


async def test_a_reconcile_that_takes_too_long_is_cancelled_and_tried_again() -> None:
    cancelled: list[Name] = []
    queue: KeyQueue[Name] = KeyQueue("test", base=1.0)

    async def reconcile(key: Name) -> None:
        if not cancelled:
            try:
                await asyncio.sleep(3600)
            finally:
                cancelled.append(key)

    before = _count("reconcile_timeouts_total"), _count("reconcile_errors_total")
    with capture_logs() as logs:
        task = asyncio.create_task(Controller("test", queue, reconcile, workers=1, timeout=60.0).run())
        queue.add(A)
        await queue.drained()
        queue.close()
        await task
    assert cancelled == [A]
    assert [line["event"] for line in logs] == [reasons.EVENT_RECONCILE_TIMEOUT]
    assert (_count("reconcile_timeouts_total"), _count("reconcile_errors_total")) == (before[0] + 1, before[1] + 1)


async def test_a_timeout_of_the_reconciles_own_is_no_timeout_of_the_controller() -> None:
    work = Work(TimeoutError("mine"))
    before = _count("reconcile_timeouts_total")
    async with work.running() as logs:
        work.queue.add(A)
        await work.queue.drained()
    assert [line["event"] for line in logs] == [reasons.EVENT_RECONCILE_PANIC]
    assert _count("reconcile_timeouts_total") == before
