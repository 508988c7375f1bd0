"""Numbers, ids and addresses in customers' words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmos.models.offline.values import (
    Span,
    find_emails,
    find_ibans,
    find_ids,
    find_numbers,
    find_pattern,
    find_phones,
    find_quoted,
    find_uuids,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I pay 25 now", [25]),
        ("I pay 25.50 now", [25.5]),
        ("25,50 EUR", [25.5]),
        ("1,234.50 or 1.234,50", [1234.5, 1234.5]),
        ("1,234,567", [1234567]),
        ("1,234", [1234]),
        ("0,125", [0.125]),
        ("-3 degrees, minus 4", [-3, -4]),
        ("twenty five and two hundred", [25, 200]),
        ("two hundred fifty", [250]),
        ("three thousand two hundred", [3200]),
        ("fünfundzwanzig", [25]),
        ("einundzwanzig", [21]),
        ("zwölf", [12]),
        ("T-1001 and v1.2.3", []),
        ("1.2.3.4", []),
        ("hundreds of them", []),
    ],
)
def test_numbers_are_read_in_digits_and_words(text: str, expected: list[float]) -> None:
    assert [span.value for span in find_numbers(text)] == expected


@given(st.integers(-(10**12), 10**12))
def test_an_integer_is_read_back(number: int) -> None:
    assert [span.value for span in find_numbers(f"take {number} of them")] == [number]


@given(st.integers(0, 10**9), st.integers(0, 99))
def test_an_amount_is_read_alike_in_english_and_german(whole: int, cents: int) -> None:
    english = f"{whole:,}.{cents:02d}"
    german = english.replace(",", " ").replace(".", ",").replace(" ", ".")
    assert [span.value for span in find_numbers(f"{english} or {german}")] == [float(f"{whole}.{cents:02d}")] * 2


@pytest.mark.parametrize(
    ("find", "text", "expected"),
    [
        (find_emails, "write to ada.l@example.org, please", ["ada.l@example.org"]),
        (find_phones, "call +49 170 123-4567 or 0228/181 0", ["+491701234567", "02281810"]),
        (find_phones, "in 2026 I paid 1234567", []),
        (find_uuids, "id 123E4567-e89b-12d3-a456-426614174000", ["123e4567-e89b-12d3-a456-426614174000"]),
        (find_ibans, "to DE02 1203 0000 0000 2020 51 please", ["DE02120300000000202051"]),
        (find_ids, "ticket T-1001 and 4711, 25.50 EUR", ["T-1001", "4711"]),
        (find_quoted, 'the title is "My Line" or „Leitung“, don\'t', ["My Line", "Leitung"]),
    ],
    ids=["email", "phone", "no phone", "uuid", "iban", "id", "quoted"],
)
def test_a_value_is_found_by_its_form(find: Callable[[str], list[Span]], text: str, expected: list[str]) -> None:
    assert [span.value for span in find(text)] == expected


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("my ticket t-1001.", r"^T-\d{4}$", ["T-1001"]),
        ("line 12 or AB12", r"^[a-z]{2}\d+$", ["ab12"]),
        ("anything", r"(", []),
    ],
    ids=["upper case", "lower case", "broken pattern"],
)
def test_a_pattern_is_met_in_the_case_it_wants(text: str, pattern: str, expected: list[str]) -> None:
    assert [span.value for span in find_pattern(text, pattern)] == expected


FINDERS = [find_numbers, find_emails, find_phones, find_uuids, find_ids, find_quoted, find_ibans]


@given(st.text(), st.sampled_from(FINDERS))
def test_any_text_can_be_searched(text: str, find: Callable[[str], list[Span]]) -> None:
    assert all(0 <= span.start < span.end <= len(text) for span in find(text))
