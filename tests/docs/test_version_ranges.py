"""The tables of `reference/version-ranges.md` are true: each range, version and choice in them is tried."""

from __future__ import annotations

import pytest

from lmos.resources.versions import BadRange, BadVersion, parse_range, parse_version
from tests.docs.pages import spans_in, tables, text_of

_PAGE = text_of("reference/version-ranges.md")
_REFUSED_VERSIONS = spans_in(_PAGE.split("Refused, with the fix:")[1].split("an empty text")[0])


# Each cell as the code spans in it.
_RANGES, _REFUSED, _CHOICES = ([[spans_in(cell) for cell in row] for row in table] for table in tables(_PAGE))


@pytest.mark.parametrize("row", _RANGES, ids=lambda row: row[0][0])
def test_a_range_matches_what_the_table_says(row: list[list[str]]) -> None:
    ranges, matching, others, *_ = row
    for text in ranges:
        assert [version for version in matching if not parse_range(text).matches(version)] == []
        assert [version for version in others if parse_range(text).matches(version)] == []


@pytest.mark.parametrize("row", _REFUSED, ids=lambda row: row[0][0])
def test_what_the_table_calls_no_range_is_refused_and_the_fix_is_one(row: list[list[str]]) -> None:
    with pytest.raises(BadRange):
        parse_range(row[0][0])
    for fix in row[1]:
        parse_range(fix)


@pytest.mark.parametrize("row", _CHOICES, ids=lambda row: row[0][0])
def test_the_strategies_choose_what_the_table_says(row: list[list[str]]) -> None:
    (text,), provided, (highest,), (nearest,), *_ = row
    assert str(parse_range(text).highest(provided)) == highest
    assert str(parse_range(text).most_similar(provided)) == nearest


@pytest.mark.parametrize("text", _REFUSED_VERSIONS)
def test_what_the_page_calls_no_version_is_refused(text: str) -> None:
    with pytest.raises(BadVersion):
        parse_version(text)
