"""When agents are asked, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import looptime
import pytest

from lmos.operator.discovery.base import Finding, Target, places
from lmos.operator.discovery.timetable import MAX_DELAY, REFRESH, REPAIR_DELAY, Timetable

pytestmark = pytest.mark.anyio

NAME = ("default", "billing")
ONE = Target(places("http://billing:8080", ["arc"]), revision="1")
TWO = Target(places("http://billing:8080", ["arc"]), revision="2")
FAULT = Finding("Unreachable", "away")


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


async def test_what_is_new_is_asked_at_once() -> None:
    table = Timetable()
    assert table.wait(NAME, ONE) == 0
    table.answered(NAME, ONE)
    assert table.holds(NAME, ONE)
    assert table.wait(NAME, TWO) == 0
    assert not table.holds(NAME, TWO)


async def test_an_answer_holds_for_ten_to_twenty_minutes() -> None:
    table = Timetable()
    table.answered(NAME, ONE)
    assert REFRESH[0] <= table.wait(NAME, ONE) <= REFRESH[1]
    await asyncio.sleep(REFRESH[1])
    assert not table.holds(NAME, ONE)


async def test_an_answer_to_an_earlier_operator_does_not_put_off_the_next_question() -> None:
    table = Timetable()
    table.known(NAME, ONE)
    wait = table.wait(NAME, ONE)
    await asyncio.sleep(100)
    table.known(NAME, ONE)
    assert table.wait(NAME, ONE) == pytest.approx(wait - 100)


async def test_pauses_double_with_each_failure_up_to_five_minutes() -> None:
    table, pauses = Timetable(), list[float]()
    for _ in range(11):
        table.failed(NAME, ONE, FAULT)
        pauses.append(table.wait(NAME, ONE))
        await asyncio.sleep(pauses[-1])
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, MAX_DELAY, MAX_DELAY]
    assert table.fault(NAME, ONE) == FAULT
    assert not table.holds(NAME, ONE)


async def test_another_target_begins_anew() -> None:
    table = Timetable()
    for _ in range(5):
        table.failed(NAME, ONE, FAULT)
    assert (table.wait(NAME, TWO), table.fault(NAME, TWO)) == (0, None)
    table.failed(NAME, TWO, FAULT)
    assert table.wait(NAME, TWO) == 1


async def test_an_alarm_that_rings_a_little_early_is_in_time() -> None:
    table = Timetable()
    table.failed(NAME, ONE, FAULT)
    await asyncio.sleep(table.wait(NAME, ONE) - 0.001)
    assert table.wait(NAME, ONE) == 0


async def test_an_answer_ends_the_failures() -> None:
    table = Timetable()
    table.failed(NAME, ONE, FAULT)
    table.answered(NAME, ONE)
    table.failed(NAME, ONE, FAULT)
    assert table.wait(NAME, ONE) == 1


async def test_an_agent_is_not_asked_again_and_again_because_its_answer_is_written_over() -> None:
    table = Timetable()
    assert table.repair(NAME) == 0
    table.answered(NAME, ONE)
    assert table.repair(NAME) == REPAIR_DELAY
    await asyncio.sleep(REPAIR_DELAY)
    assert table.repair(NAME) == 0


async def test_who_is_forgotten_leaves_nothing() -> None:
    table = Timetable()
    table.answered(NAME, ONE)
    table.forget(NAME)
    table.forget(NAME)
    assert len(table) == 0
