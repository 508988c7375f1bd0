"""Figures of predictions that are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmos.conversation.events import Candidate, Outcome
from lmos.router.base import Classification
from lmos.router.evaluation.data import NONE, Row
from lmos.router.evaluation.metrics import Share, auroc, measure, wilson
from lmos.router.evaluation.play import Played, Prediction


def prediction(
    agent: str,
    predicted: str,
    score: float,
    outcome: Outcome = "match",
    scope: float = 1.0,
    *,
    language: str = "",
    kind: str = "",
) -> Prediction:
    candidate = Candidate(agent=predicted, capability=f"{predicted}-c", score=score)
    agents = (predicted,) if outcome == "match" else ()
    decision = Classification(outcome, agents, (candidate,), score, "vector", "So.", scope)
    row = Row("hi", agent, f"{agent}-c", language=language, kind=kind, accept=(agent,))
    return Prediction(row, decision, 1.0)


FOUND = (
    prediction("a", "a", 0.9, language="en", kind="first"),
    prediction("a", "b", 0.6, "ambiguous", language="de", kind="switch"),
    prediction("b", "b", 0.8, language="en", kind="first"),
    prediction("b", "b", 0.4, "out_of_scope", -1.0, language="en", kind="first"),
    prediction(NONE, "a", 0.3, "out_of_scope", -2.0),
    prediction(NONE, "b", 0.7, "match", 0.5),
)


def test_the_summary_counts_messages_in_scope_and_those_for_nobody_apart() -> None:
    summary = measure(Played(FOUND, 0.5)).summary
    assert summary.agent == Share(3, 4)
    assert summary.capability == Share(3, 4)
    assert summary.covered == Share(3, 4)
    assert summary.asked == Share(1, 4)
    assert summary.direct == Share(2, 2)
    assert summary.rejected == Share(1, 2)
    # In scope 1, 1, 1, -1; foreign -2 and 0.5: 7 of 8 pairs are in order.
    assert summary.auroc == pytest.approx(100 * 7 / 8)


def test_calibration_compares_what_was_said_with_what_came() -> None:
    measured = measure(Played(FOUND, 0.0))
    # One prediction a bin: |0.9-1| + |0.6-0| + |0.8-1| + |0.4-1|, a quarter each.
    assert measured.summary.calibration == pytest.approx(100 * (0.1 + 0.6 + 0.2 + 0.6) / 4)
    assert sum(one.count for one in measured.bins) == 4


def test_the_curve_answers_the_surest_first_and_declines_last() -> None:
    curve = measure(Played(FOUND, 0.0)).curve
    assert [round(coverage) for coverage, _ in curve] == [17, 33, 50, 67, 83, 100]
    assert [risk for _, risk in curve] == pytest.approx([0, 0, 100 / 3, 50, 40, 50])


def test_groups_and_confusions_name_what_goes_wrong() -> None:
    measured = measure(Played(FOUND, 0.0))
    assert [(group.name, group.right) for group in measured.agents] == [("a", Share(1, 2)), ("b", Share(2, 2))]
    assert [(group.name, group.right.total) for group in measured.languages] == [("de", 1), ("en", 3)]
    assert [(group.name, group.asked) for group in measured.kinds] == [("first", Share(0, 3)), ("switch", Share(1, 1))]
    (confusion,) = measured.confusions
    assert (confusion.label, confusion.predicted, confusion.count) == (("a", "a-c"), ("b", "b-c"), 1)


def test_rows_without_languages_or_kinds_make_no_tables() -> None:
    measured = measure(Played((prediction("a", "a", 0.9),), 0.0))
    assert (measured.languages, measured.kinds) == ((), ())


def test_only_messages_for_nobody_leave_the_other_figures_open() -> None:
    summary = measure(Played((prediction(NONE, "a", 0.3, "out_of_scope", -2.0),), 0.0)).summary
    assert (summary.agent.percent, summary.agent.interval, summary.calibration, summary.auroc) == (None,) * 4
    assert summary.rejected.percent == 100


# Published values of the score interval without continuity correction (Newcombe 1998, table I, method 3).
@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(81, 263, 25.53, 36.62), (15, 148, 6.24, 16.05), (0, 20, 0.0, 16.11), (1, 29, 0.61, 17.18)],
)
def test_the_interval_is_wilsons(hits: int, total: int, low: float, high: float) -> None:
    assert wilson(hits, total) == pytest.approx((low, high), abs=0.01)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20), st.lists(st.integers(-3, 3), min_size=1, max_size=20))
def test_the_area_is_the_share_of_pairs_in_order(own: list[int], foreign: list[int]) -> None:
    pairs = [(a > b) + 0.5 * (a == b) for a in own for b in foreign]
    found = auroc(np.array(own, np.float64), np.array(foreign, np.float64))
    assert found == pytest.approx(100 * sum(pairs) / len(pairs))
