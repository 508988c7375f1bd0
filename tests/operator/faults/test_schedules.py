"""Operators live through whatever happens: in the end all is as resolving afresh gives, and no write was in vain.

Each schedule is a seed. `make faults` lives through 10,000; a divergence is told as a schedule to run again.
"""

from __future__ import annotations

import json

import pytest

from tests.operator.faults.page import PAGE, RESULTS, page
from tests.operator.faults.plan import Kind
from tests.operator.faults.quiet import quiet
from tests.operator.faults.report import shrunk, told
from tests.operator.faults.schedule import Outcome, Schedule, run

EACH = 40


def _lived(seeds: range, *, faults: bool = True) -> list[Outcome]:
    with quiet() as bugs:
        outcomes = [run(Schedule(seed, faults=faults)) for seed in seeds]
        wrong = [told(shrunk(outcome)) for outcome in outcomes if outcome.wrongs]
    assert bugs == []
    if wrong:
        pytest.fail("\n\n".join(wrong), pytrace=False)
    return outcomes


@pytest.mark.parametrize("first", range(0, 10 * EACH, EACH))
def test_all_is_well_after_any_schedule(first: int) -> None:
    _lived(range(first, first + EACH))


def test_without_faults_of_the_network_all_is_well_too() -> None:
    _lived(range(12), faults=False)


def test_a_schedule_is_the_same_each_time_that_it_is_run() -> None:
    first, again = (*_lived(range(3, 4)), *_lived(range(3, 4)))
    assert (first.counts, first.writes, first.told) == (again.counts, again.writes, again.told)
    assert first.seconds == again.seconds


def test_the_page_of_the_docs_is_that_of_the_recorded_run() -> None:
    results = json.loads(RESULTS.read_text())
    assert PAGE.read_text() == page(results)
    assert not any(sums["diverged"] for sums in results.values())


def test_every_kind_of_fault_comes_about() -> None:
    outcomes = _lived(range(1000, 1080))
    assert set(Kind) - {kind for outcome in outcomes for kind in outcome.counts} == set()
