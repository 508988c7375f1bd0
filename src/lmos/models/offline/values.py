"""Numbers, addresses, ids and quotations in a customer's words, each with its place in the text. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lmos.models.offline.words import NUMBERS

__all__ = [
    "Span",
    "find_emails",
    "find_ibans",
    "find_ids",
    "find_numbers",
    "find_pattern",
    "find_phones",
    "find_quoted",
    "find_uuids",
]


@dataclass(frozen=True, slots=True)
class Span:
    """A value that stands in the text between `start` and `end`."""

    value: Any
    start: int
    end: int

    def overlaps(self, spans: list[Span]) -> bool:
        return any(self.start < other.end and other.start < self.end for other in spans)


_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_UUID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", re.IGNORECASE)
_PHONE: Final = re.compile(r"(?<![\w+])(?:\+\d|0\d)(?:[\s/()-]{0,2}\d){4,14}(?!\w)")
_QUOTED: Final = re.compile(r"\"([^\"]+)\"|“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»|(?<!\w)'([^']+)'(?!\w)")
_ID: Final = re.compile(r"(?<![\w.,-])(?=[\w-]*\d)[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*(?![\w-]|[.,]\d)")
_NUMBER: Final = re.compile(
    r"(?<![\w.,-])(?P<sign>-|minus )?(?P<digits>\d+(?:[.,]\d+)*)(?![\w-]|[.,]\d)", re.IGNORECASE
)
_WORD: Final = re.compile(r"[^\W\d_]+")
_GERMAN_COMPOUND: Final = re.compile(r"(?P<unit>\w+?)und(?P<tens>\w+)")


def _all(pattern: re.Pattern[str], convert: Callable[[str], Any] = str) -> Callable[[str], list[Span]]:
    def find(text: str) -> list[Span]:
        return [
            Span(convert(next((g for g in match.groups() if g), match.group())), *match.span())
            for match in pattern.finditer(text)
        ]

    return find


find_emails = _all(_EMAIL)
find_uuids = _all(_UUID, str.lower)
find_phones = _all(_PHONE, lambda text: re.sub(r"[^\d+]", "", text))
find_ibans = _all(_IBAN, lambda text: text.replace(" ", "").upper())
find_quoted = _all(_QUOTED, str.strip)
find_ids = _all(_ID)
"""Words with a digit in them, as they are written: `T-1001`, `4711`."""


def find_pattern(text: str, pattern: str) -> list[Span]:
    """Words of `text` that fit a JSON schema `pattern`, in the case that the pattern wants."""
    try:
        wanted = re.compile(pattern)
    except re.error:
        return []
    found: list[Span] = []
    for match in re.finditer(r"[^\s,;!?\"'()]+", text):
        word = match.group().strip(".:")
        for candidate in (word, word.upper(), word.lower()):
            if candidate and wanted.search(candidate):
                found.append(Span(candidate, match.start(), match.start() + len(word)))
                break
    return found


def find_numbers(text: str) -> list[Span]:
    """Numbers in digits (`1,234.50` and `1.234,50` alike) or English and German words, in order of place."""
    found = [
        Span(value, *match.span())
        for match in _NUMBER.finditer(text)
        if (value := _number(match["digits"], bool(match["sign"]))) is not None
    ]
    return sorted([*found, *_number_words(text)], key=lambda span: span.start)


def _number(digits: str, negative: bool) -> float | int | None:
    marks = [mark for mark in digits if mark in ",."]
    if marks:
        last = marks[-1]
        whole, _, decimals = digits.rpartition(last)
        grouped = re.fullmatch(r"\d{1,3}([.,]\d{3})*", whole) is not None
        if len(set(marks)) == 2 and marks.count(last) == 1:
            digits = re.sub("[.,]", "", whole) + "." + decimals
        elif len(marks) > 1:
            # One kind of mark, several times: thousands, if the groups are right.
            if not grouped or len(decimals) != 3 or len(set(marks)) == 2:
                return None
            digits = re.sub("[.,]", "", digits)
        elif last == "," and len(decimals) == 3 and whole != "0":
            digits = whole + decimals
        else:
            digits = f"{whole}.{decimals}"
    value = float(digits) if "." in digits else int(digits)
    return -value if negative else value


def _number_words(text: str) -> Iterator[Span]:
    """Runs of number words: "twenty five", "two hundred", "fünfundzwanzig"."""
    run: list[tuple[int, int, int]] = []
    for match in _WORD.finditer(text):
        value = _word_value(match.group().lower())
        if value is not None and run and not text[run[-1][2] : match.start()].strip(" -"):
            run.append((value, *match.span()))
            continue
        if run:
            yield _joined(run)
        run = [] if value is None else [(value, *match.span())]
    if run:
        yield _joined(run)


def _word_value(word: str) -> int | None:
    if word in NUMBERS:
        return NUMBERS[word]
    compound = _GERMAN_COMPOUND.fullmatch(word)
    if compound:
        unit = NUMBERS.get("eins" if compound["unit"] == "ein" else compound["unit"])
        tens = NUMBERS.get(compound["tens"])
        if unit is not None and tens is not None:
            return unit + tens
    return None


def _joined(run: list[tuple[int, int, int]]) -> Span:
    total = 0
    current = 0
    for value, _, _ in run:
        if value == 1000:
            total, current = total + max(current, 1) * 1000, 0
        elif value == 100:
            current = max(current, 1) * 100
        else:
            current += value
    return Span(total + current, run[0][1], run[-1][2])
