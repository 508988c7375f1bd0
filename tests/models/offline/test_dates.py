"""Dates in customers' words."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmos.models.offline.dates import find_moments, shift_month
from lmos.models.offline.words import MONTH_NAMES

TODAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my bill for 2026-10", ["2026-10"]),
        ("on 2026-10-05, please", ["2026-10-05"]),
        ("am 5.10.2026", ["2026-10-05"]),
        ("am 5.10.", ["2026-10-05"]),
        ("on 5 October 2026", ["2026-10-05"]),
        ("on October 5th", ["2026-10-05"]),
        ("on the 5th of October", ["2026-10-05"]),
        ("am 5. Oktober", ["2026-10-05"]),
        ("in October", ["2026-10"]),
        ("in oct 2025", ["2025-10"]),
        ("im März", ["2026-03"]),
        ("for December", ["2025-12"]),
        ("next December", ["2026-12"]),
        ("next March", ["2027-03"]),
        ("10/2026", ["2026-10"]),
        ("25/12/2026", ["2026-12-25"]),
        ("12/25/2026", ["2026-12-25"]),
        ("5/10/2026", []),
        ("on 30.02.2026", []),
        ("yesterday", ["2026-11-24"]),
        ("the day before yesterday", ["2026-11-23"]),
        ("vorgestern", ["2026-11-23"]),
        ("last month", ["2026-10"]),
        ("letzten Monat", ["2026-10"]),
        ("Guten Morgen", []),
        ("may I see my bill?", []),
        ("my bill in May", ["2026-05"]),
        ("May", ["2026-05"]),
        ("from May to July", ["2026-05", "2026-07"]),
        ("How much was my bill in March?", ["2026-03"]),
        ("version 1.2.3", []),
        ("ticket T-2026-10", []),
        ("I marched on", []),
    ],
)
def test_a_date_is_found_or_left(text: str, expected: list[str]) -> None:
    assert [moment.iso for moment in find_moments(text, TODAY)] == expected


@given(st.dates(date(1990, 1, 1), date(2049, 12, 31)), st.sampled_from(["en", "de"]), st.data())
def test_every_written_form_of_a_day_is_read_back(day: date, language: str, data: st.DataObject) -> None:
    name = MONTH_NAMES[language][day.month - 1]
    forms = [day.isoformat(), f"{day.day}.{day.month}.{day.year}", f"{day.day} {name} {day.year}"]
    written = data.draw(st.sampled_from([*forms, f"{name} {day.day}, {day.year}"]))
    moments = find_moments(f"It was on {written} I think", TODAY)
    assert [moment.iso for moment in moments] == [day.isoformat()]


@given(st.text())
def test_any_text_can_be_searched(text: str) -> None:
    found = find_moments(text, TODAY)
    assert all(0 <= moment.start < moment.end <= len(text) for moment in found if text.lower() == text)


@given(st.integers(1900, 2100), st.integers(1, 12), st.integers(-500, 500))
def test_shifting_a_month_back_and_forth_returns_to_it(year: int, month: int, by: int) -> None:
    assert shift_month(*shift_month(year, month, by), -by) == (year, month)
