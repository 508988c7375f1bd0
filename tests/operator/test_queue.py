"""The key queue, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import looptime
import pytest
from prometheus_client import REGISTRY

from lmos.operator.queue import KeyQueue, QueueClosed

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


@pytest.fixture
def queue() -> Iterator[KeyQueue[str]]:
    queue: KeyQueue[str] = KeyQueue("test", base=1.0, cap=60.0)
    yield queue
    queue.close()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _fail(queue: KeyQueue[str], key: str) -> float:
    """Take `key`, fail, and return after how many seconds it comes again."""
    assert await queue.get() == key
    queue.retry(key)
    start = _now()
    assert await queue.get() == key
    waited = _now() - start
    queue.done(key)
    return waited


async def test_keys_come_in_order(queue: KeyQueue[str]) -> None:
    for key in "abc":
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]


async def test_a_key_waits_once(queue: KeyQueue[str]) -> None:
    queue.add("a")
    queue.add("a")
    queue.add("b")
    assert len(queue) == 2
    assert [await queue.get(), await queue.get()] == ["a", "b"]


async def test_a_key_that_changes_while_it_is_worked_on_comes_again(queue: KeyQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await queue.get() == "a"


async def test_a_key_that_did_not_change_does_not_come_again(queue: KeyQueue[str]) -> None:
    queue.add("a")
    queue.done(await queue.get())
    assert queue.pending == frozenset()


async def test_delays_double_up_to_the_cap(queue: KeyQueue[str]) -> None:
    queue.add("a")
    delays: list[float] = []
    for _ in range(8):
        key = await queue.get()
        delays.append(queue.retry(key))
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


async def test_a_failed_key_comes_after_its_delay(queue: KeyQueue[str]) -> None:
    queue.add("a")
    assert await _fail(queue, "a") == pytest.approx(1.0)


async def test_success_resets_the_delay(queue: KeyQueue[str]) -> None:
    for _ in range(2):
        queue.add("a")
        assert await _fail(queue, "a") == pytest.approx(1.0)


async def test_keys_back_off_on_their_own(queue: KeyQueue[str]) -> None:
    queue.add("a")
    for _ in range(3):
        queue.retry(await queue.get())
    queue.add("b")
    queue.retry(await queue.get())
    start = _now()
    assert await queue.get() == "b"
    assert _now() - start == pytest.approx(1.0)


async def test_a_change_ends_the_backoff(queue: KeyQueue[str]) -> None:
    queue.add("a")
    queue.retry(await queue.get())
    queue.add("a")
    start = _now()
    assert await queue.get() == "a"
    assert _now() == start
    queue.done("a")
    await asyncio.sleep(10)
    assert len(queue) == 0


async def test_drained_waits_for_what_waits_runs_and_backs_off(queue: KeyQueue[str]) -> None:
    for key in "abc":
        queue.add(key)
    queue.retry(await queue.get())
    await queue.get()
    drained = asyncio.create_task(queue.drained())
    for key in ("b", "c", "a"):
        await asyncio.sleep(0)
        assert not drained.done()
        if key != "b":
            assert await queue.get() == key
        queue.done(key)
    await drained


async def test_drained_does_not_wait_for_keys_that_come_later(queue: KeyQueue[str]) -> None:
    queue.add("a")
    drained = asyncio.create_task(queue.drained())
    await asyncio.sleep(0)
    queue.add("b")
    queue.done(await queue.get())
    await drained
    assert queue.pending == {"b"}


async def test_drained_waits_for_the_second_round_of_a_key_that_changed(queue: KeyQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    drained = asyncio.create_task(queue.drained())
    await asyncio.sleep(0)
    queue.done("a")
    await asyncio.sleep(0)
    assert not drained.done()
    queue.done(await queue.get())
    await drained


async def test_close_ends_every_worker(queue: KeyQueue[str]) -> None:
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.close()
    results = await asyncio.gather(*workers, return_exceptions=True)
    assert [type(result) for result in results] == [QueueClosed] * 3


async def test_a_closed_queue_takes_no_keys(queue: KeyQueue[str]) -> None:
    queue.add("a")
    key = await queue.get()
    queue.close()
    queue.add("b")
    assert queue.retry(key) == 0.0
    assert queue.pending == frozenset()


def _metric(name: str, queue: str = "metered") -> float | None:
    return REGISTRY.get_sample_value(f"workqueue_{name}", {"name": queue})


async def test_the_time_of_work_that_goes_on_is_shown_while_it_goes_on() -> None:
    queue: KeyQueue[str] = KeyQueue("metered")
    queue.add("a")
    queue.add("b")
    await queue.get()
    await asyncio.sleep(10)
    await queue.get()
    await asyncio.sleep(5)
    assert (_metric("unfinished_work_seconds"), _metric("longest_running_processor_seconds")) == (20, 15)
    queue.done("a")
    assert (_metric("unfinished_work_seconds"), _metric("longest_running_processor_seconds")) == (5, 5)
    assert (_metric("work_duration_seconds_count"), _metric("work_duration_seconds_sum")) == (1, 15)
    queue.close()


async def test_work_of_a_closed_queue_is_nobodys() -> None:
    queue: KeyQueue[str] = KeyQueue("metered")
    queue.add("a")
    await queue.get()
    queue.close()
    await asyncio.sleep(10)
    assert _metric("longest_running_processor_seconds") == 0
