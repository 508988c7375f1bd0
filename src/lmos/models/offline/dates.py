"""Dates and months in a customer's words, English and German. Pure; today is an argument."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from lmos.models.offline.words import MONTHS

__all__ = ["Moment", "find_moments", "shift_month"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A day or a whole month (`day` is `None`) that stands in the text between `start` and `end`."""

    year: int
    month: int
    day: int | None
    start: int
    end: int

    @property
    def iso(self) -> str:
        """`YYYY-MM-DD`, or `YYYY-MM` for a month."""
        return self.iso_month if self.day is None else f"{self.iso_month}-{self.day:02d}"

    @property
    def iso_month(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


_NAME: Final = "|".join(sorted(MONTHS, key=len, reverse=True))
_YEAR: Final = r"(?P<year>(?:19|20)\d\d)"
_DAY: Final = r"(?P<day>0?[1-9]|[12]\d|3[01])"
_MONTH: Final = r"(?P<month>0?[1-9]|1[0-2])"
_WORD: Final = rf"(?P<name>{_NAME})\.?"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){text}(?![\w-])", re.IGNORECASE)


# The first pattern that matches at a place wins, so the longer forms come first.
_WRITTEN: Final = (
    _pattern(rf"{_YEAR}-{_MONTH}-{_DAY}"),
    _pattern(rf"{_DAY}\.\s?{_MONTH}\.(?:\s?{_YEAR})?"),
    _pattern(rf"{_DAY}(?:st|nd|rd|th|\.)?\s+(?:of\s+)?{_WORD}(?:,?\s+{_YEAR})?"),
    _pattern(rf"{_WORD}\s+{_DAY}(?:st|nd|rd|th)?(?:,?\s+{_YEAR})?(?!\d)"),
    _pattern(rf"{_YEAR}-{_MONTH}"),
    _pattern(rf"{_MONTH}/{_YEAR}"),
    _pattern(rf"{_WORD},?\s+{_YEAR}"),
    _pattern(_WORD),
)
# `5/10/2026` is the fifth of October here and the tenth of May there: read only when one of the two cannot be a month.
_SLASHED: Final = _pattern(rf"(?P<first>\d\d?)/(?P<second>\d\d?)/{_YEAR}")

_RELATIVE_DAYS: Final = {
    "(?:the )?day before yesterday": -2,
    "vorgestern": -2,
    "yesterday": -1,
    "gestern": -1,
    "today": 0,
    "heute": 0,
    "(?:the )?day after tomorrow": 2,
    "übermorgen": 2,
    "tomorrow": 1,
    "(?<!guten )morgen": 1,
}
_RELATIVE_MONTHS: Final = {
    r"last month|previous month|letzte[nrs]? monat|vergangene[nrs]? monat|vormonat": -1,
    r"this month|current month|diese[nrsm]? monat|aktuelle[nrs]? monat": 0,
    r"next month|nächste[nrs]? monat": 1,
}
_FUTURE: Final = re.compile(r"(next|coming|nächste\w*|kommende\w*)\s+$", re.IGNORECASE)
# "may" is a verb more often than a month: it counts only after a word that a month follows, or before a year.
_MAY_AFTER: Final = re.compile(
    r"(in|for|of|from|since|until|till|last|this|next|by|during|and|or|my|the|to|was)\s+$", re.IGNORECASE
)


def shift_month(year: int, month: int, by: int) -> tuple[int, int]:
    """Year and month `by` months later."""
    months = year * 12 + month - 1 + by
    return months // 12, months % 12 + 1


def find_moments(text: str, today: date) -> list[Moment]:
    """Days and months in `text`, in order, not overlapping.

    A missing year is the latest that does not lie after `today`, or the coming one after a word such as "next". A date
    that does not exist, or could be read in two ways, is not found.
    """
    found: list[Moment] = []
    for moment in _candidates(text, today):
        if all(moment.end <= other.start or moment.start >= other.end for other in found):
            found.append(moment)
    return sorted(found, key=lambda moment: moment.start)


def _candidates(text: str, today: date) -> Iterator[Moment]:
    for match in _SLASHED.finditer(text):
        first, second, year = int(match["first"]), int(match["second"]), int(match["year"])
        if first > 12 or first == second:
            yield from _moment(match, year, second, first)
        elif second > 12:
            yield from _moment(match, year, first, second)
    slashed = [match.span() for match in _SLASHED.finditer(text)]
    for pattern in _WRITTEN:
        for match in pattern.finditer(text):
            if any(start < match.end() and match.start() < end for start, end in slashed):
                continue
            yield from _written(match, text, today)
    yield from _relative(text, today)


def _written(match: re.Match[str], text: str, today: date) -> Iterator[Moment]:
    parts = match.groupdict()
    name = (parts.get("name") or "").lower()
    month = MONTHS[name] if name else int(parts["month"])
    day = int(parts["day"]) if parts.get("day") else None
    alone = name == "may" and not parts.get("year") and day is None and text.strip(" .?!").lower() != "may"
    if alone and not _MAY_AFTER.search(text[: match.start()]):
        return
    year = int(parts["year"]) if parts.get("year") else _year(text[: match.start()], month, day, today)
    yield from _moment(match, year, month, day)


def _year(before: str, month: int, day: int | None, today: date) -> int:
    ahead = month > today.month if day is None else (month, day) > (today.month, today.day)
    if _FUTURE.search(before):
        return today.year if ahead else today.year + 1
    return today.year - 1 if ahead else today.year


def _moment(match: re.Match[str], year: int, month: int, day: int | None) -> Iterator[Moment]:
    try:
        date(year, month, day or 1)
    except ValueError:
        return
    yield Moment(year, month, day, *match.span())


def _relative(text: str, today: date) -> Iterator[Moment]:
    lower = text.lower()
    for words, days in _RELATIVE_DAYS.items():
        for match in _whole(words, lower):
            day = today + timedelta(days=days)
            yield Moment(day.year, day.month, day.day, *match.span())
    for words, months in _RELATIVE_MONTHS.items():
        for match in _whole(words, lower):
            year, month = shift_month(today.year, today.month, months)
            yield Moment(year, month, None, *match.span())


def _whole(words: str, text: str) -> Iterator[re.Match[str]]:
    return re.finditer(rf"\b(?:{words})\b", text)
