"""The operator's page says what the raw runs say, and the gate holds back what has become dearer."""

from __future__ import annotations

import json

import pytest

from benchmarks.operator import gate, page


def test_the_page_is_what_the_raw_runs_give() -> None:
    assert page.page() == page.PAGE.read_text()


def test_the_gate_compares_with_the_recorded_median() -> None:
    (figure,) = json.loads(page.FILE.read_text())["gate"]["figures"]

    assert gate.recorded() == figure["median"]
    assert min(figure["runs"]) <= gate.recorded() <= max(figure["runs"])


@pytest.mark.parametrize(("ratio", "passes"), [(0.2, True), (0.3, True), (0.359, True), (0.361, False), (1.0, False)])
def test_a_ratio_may_be_a_fifth_above_the_recorded_one(ratio: float, passes: bool) -> None:
    assert gate.within(ratio, 0.3) == passes
