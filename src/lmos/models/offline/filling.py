"""Fills a tool's arguments from a text, by type. Pure; today is an argument.

Values are taken from the most telling kind to the least, and no piece of text is used twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from lmos.models.offline.dates import find_moments
from lmos.models.offline.parameters import Kind, Parameter, words_of
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
from lmos.models.offline.words import MONTH_NAMES, NO, YES

__all__ = ["fill", "missing", "moment_value"]

_ORDER: Final[tuple[Kind, ...]] = (
    "email",
    "uuid",
    "pattern",
    "enum",
    "date",
    "month",
    "phone",
    "iban",
    "number",
    "integer",
    "id",
    "boolean",
    "name",
    "text",
)
_POLITE: Final = re.compile(
    r"^(?:(?:yes|ja|ok|okay|sure|please|bitte|well|hi|hello)[,.!]?\s+)*"
    r"(?:(?:it(?:'s| is)|that(?:'s| is| would be)|i am|i'm|my \w+ is|the \w+ is|es ist|das ist|ich bin|meine? \w+ ist)"
    r"\s+)?(?:(?:the|in|for|from|at|im|für|aus)\s+)?",
    re.IGNORECASE,
)
_BEFORE: Final = 10
# After these words a proper name follows that a plain string parameter may want.
_PLACE: Final = re.compile(r"\b(?:in|near|at|from|to|for|called|named|aus|bei|nach|für|namens)\s+")
_PROPER: Final = re.compile(r"[A-ZÄÖÜ][\w&.-]*(?:\s+[A-ZÄÖÜ][\w&.-]*)*")


def fill(
    parameters: Sequence[Parameter],
    text: str,
    today: date,
    *,
    asked: Parameter | None = None,
    topic: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Arguments that stand in `text`, by parameter name.

    `topic` holds the words that name the tool itself: a text of nothing else ("open a ticket") says no more than that
    the tool is wanted, and is not the text that it wants.

    With `asked`, the text answers a question for that parameter: it is read more freely for it, and only what is
    certain is taken for the others.
    """
    taken: list[Span] = []
    values: dict[str, Any] = {}
    for parameter in sorted(parameters, key=lambda p: (p is not asked, _ORDER.index(p.kind), not p.required)):
        free = parameter.kind in ("text", "name")
        if asked is not None and parameter is not asked and free:
            continue
        whole = parameter.kind == "text"  # all that was written includes what others took of it
        if whole and parameter is not asked and len(words_of(text) - topic) < 2:
            continue
        fitting = [
            span
            for span in _spans(parameter, text, today, parameter is asked)
            if parameter.accepts(span.value) and (whole or not span.overlaps(taken))
        ]
        if not fitting:
            continue
        chosen = fitting if parameter.is_list else [_nearest(fitting, parameter, text)]
        values[parameter.name] = [span.value for span in chosen] if parameter.is_list else chosen[0].value
        taken += [] if whole else chosen
    return values


def _nearest(spans: list[Span], parameter: Parameter, text: str) -> Span:
    """The span closest to a word of the parameter's name or description; the first when the text has no such word."""
    places = [m.span() for m in re.finditer(r"[^\W\d_]{3,}", text.lower()) if m.group() in parameter.words]
    if not places:
        return spans[0]

    def distance(span: Span) -> int:
        # "priority 2" is more usual than "2 priority": a value after its word is nearer than one before it.
        return min(span.start - end if span.start >= end else start - span.end + _BEFORE for start, end in places)

    return min(spans, key=distance)


def _spans(parameter: Parameter, text: str, today: date, asked: bool) -> list[Span]:
    kind = parameter.kind
    simple: dict[Kind, Callable[[str], list[Span]]] = {
        "email": find_emails,
        "uuid": find_uuids,
        "phone": find_phones,
        "iban": find_ibans,
    }
    if kind in simple:
        return simple[kind](text)
    if kind == "id":
        return _ids(text, today, asked)
    if kind == "enum":
        return _choices(parameter.choices, text)
    if kind in ("date", "month"):
        return _moments(parameter, text, today)
    if kind in ("integer", "number"):
        return _numbers(parameter, text, today)
    if kind == "boolean":
        return _boolean(parameter, text, asked)
    if kind == "pattern":
        return find_pattern(text, str(parameter.schema["pattern"]))
    return _free(parameter, text, asked)


def _choices(choices: Sequence[Any], text: str) -> list[Span]:
    """Members of an enumeration, longest first, `-` and `_` standing for a space too."""
    found: list[Span] = []
    for choice in sorted(choices, key=lambda item: -len(str(item))):
        words = r"[\s_-]*".join(re.escape(part) for part in re.split(r"[\s_-]+", str(choice)))
        for match in re.finditer(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE):
            span = Span(choice, *match.span())
            if not span.overlaps(found):
                found.append(span)
    return sorted(found, key=lambda span: span.start)


def _moments(parameter: Parameter, text: str, today: date) -> list[Span]:
    spans = [
        Span(value, moment.start, moment.end)
        for moment in find_moments(text, today)
        if (value := moment_value(parameter, moment.year, moment.month, moment.day)) is not None
    ]
    if parameter.schema.get("type") == "integer" and not spans:
        return [span for span in find_numbers(text) if isinstance(span.value, int) and 1 <= span.value <= 12]
    return spans


def moment_value(parameter: Parameter, year: int, month: int, day: int | None) -> Any:
    """A day or month as the parameter wants it written, or `None` when it wants a day and there is none.

    A month is `YYYY-MM`, or its English name when the pattern or description says so; an integer is its number.
    """
    if parameter.schema.get("type") == "integer":
        return month
    if parameter.kind == "date":
        if day is None:
            return None
        written = f"{year:04d}-{month:02d}-{day:02d}"
        return f"{written}T00:00:00Z" if parameter.schema.get("format") == "date-time" else written
    written = f"{year:04d}-{month:02d}"
    name = MONTH_NAMES["en"][month - 1]
    if "pattern" in parameter.schema:
        options = (written, f"{month:02d}/{year}", f"{month:02d}", str(month), name, name.lower())
        return next((option for option in options if parameter.accepts(option)), None)
    return name if re.search(r"(?i)\bname\b|january|e\.g\.,? [A-Z][a-z]+", parameter.description) else written


def _numbers(parameter: Parameter, text: str, today: date) -> list[Span]:
    dated = [Span(None, moment.start, moment.end) for moment in find_moments(text, today)]
    spans = [span for span in find_numbers(text) if not span.overlaps(dated)]
    if re.search(r"(?i)(^|_)(year|jahr)(_|$)", parameter.name):
        years = [Span(moment.year, moment.start, moment.end) for moment in find_moments(text, today)]
        return [span for span in spans if 1900 <= span.value < 2100] or years
    if parameter.kind == "integer":
        return [Span(int(span.value), span.start, span.end) for span in spans if span.value == int(span.value)]
    return spans


def _ids(text: str, today: date, asked: bool) -> list[Span]:
    """Words with a digit that are no part of a date; to a question, a lone word without one too."""
    dated = [Span(None, moment.start, moment.end) for moment in find_moments(text, today)]
    spans = [span for span in find_ids(text) if not span.overlaps(dated)]
    words = re.findall(r"[\w-]+", text)
    if asked and not spans and len(words) == 1:
        return [Span(words[0], 0, len(text))]
    return spans


def _boolean(parameter: Parameter, text: str, asked: bool) -> list[Span]:
    """Yes or no to a question; in other text, the parameter's name with or without a negation before it."""
    words = [(m.group().lower(), *m.span()) for m in re.finditer(r"[^\W\d_]+", text)]
    if asked:
        for word, start, end in words:
            if word in YES or word in NO:
                return [Span(word in YES, start, end)]
        return []
    named = [part for part in parameter.name.lower().split("_") if len(part) > 2]
    for position, (word, start, end) in enumerate(words):
        if named and word == named[0]:
            negated = any(previous in NO for previous, _, _ in words[max(0, position - 3) : position])
            return [Span(not negated, start, end)]
    return []


def _free(parameter: Parameter, text: str, asked: bool) -> list[Span]:
    """A string of no telling type: a quotation, else a proper name, else (where it fits) all that was written."""
    quoted = find_quoted(text)
    if quoted:
        return quoted
    whole = Span(text.strip(), 0, len(text))
    if asked and parameter.kind == "text":
        return [whole] if whole.value else []
    if asked:
        lead = _POLITE.match(text)
        answer = text[lead.end() if lead else 0 :].strip().rstrip(".!")
        return [Span(answer, 0, len(text))] if answer else []
    if parameter.kind == "text":
        return [whole] if len(text.split()) > 2 else []
    labelled = _labelled(parameter, text)
    if labelled:
        return labelled
    return [
        Span(match.group().rstrip("."), *match.span())
        for place in _PLACE.finditer(text)
        if (match := _PROPER.match(text, place.end()))
    ]


def _labelled(parameter: Parameter, text: str) -> list[Span]:
    """`city: Bonn`, `name is Ada`: the parameter's name and a value after it."""
    name = re.escape(parameter.name.replace("_", " "))
    match = re.search(rf"(?i)\b{name}\s*(?:is|ist|=|:)\s*(?P<value>[^,;.!?\n]+)", text)
    return [Span(match["value"].strip(), *match.span("value"))] if match else []


def missing(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> Parameter | None:
    """The first required parameter without a value."""
    return next((p for p in parameters if p.required and p.name not in values), None)
