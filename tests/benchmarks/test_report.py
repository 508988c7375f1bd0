"""The page of figures says what the raw runs say."""

from __future__ import annotations

import pytest

from benchmarks import report


def test_the_page_is_what_the_newest_raw_runs_give() -> None:
    assert report.PAGE.read_text() == report.page()


@pytest.mark.parametrize(
    ("goal", "runs", "verdict"),
    [
        ("<= 2", [1.0, 2.0, 9.0], "met"),
        ("<= 2", [3.0], "**missed** by 50%"),
        (">= 0.7", [0.7], "met"),
        (">= 0.7", [0.35], "**missed** by 50%"),
        ("linear (10)", [12.0], "a note"),
    ],
)
def test_a_verdict_says_by_how_much_a_goal_is_missed(goal: str, runs: list[float], verdict: str) -> None:
    row = report.row({"name": "x", "unit": "s", "runs": runs, "median": runs[0], "goal": goal, "note": "a note"})

    assert row.endswith(f"| {verdict} |")
