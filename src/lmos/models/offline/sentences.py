"""What the offline model says, in English or German: questions, refusals, and tools' results as sentences. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal, cast

from lmos.models.base import ModelToolReturn, ToolSpec
from lmos.models.offline.parameters import Parameter
from lmos.models.offline.words import ENGLISH, GERMAN, MONTH_NAMES

__all__ = ["Language", "answer", "cancelled", "language_of", "offer", "pieces", "question"]

Language = Literal["en", "de"]

_PHRASES: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "question": "I need one more detail: {description}. What should I use?",
        "choices": " You can choose {choices}.",
        "or": " or ",
        "offer": "I am not sure what you need. I can help with:",
        "no_tools": "I cannot answer that: no language model is configured, and this agent has no tools that I could "
        "use without one.",
        "cancelled": "All right, I have stopped. What else can I do for you?",
        "failed": "That did not work: {error}",
        "nothing": "I found nothing.",
        "found": "I found {count}:",
        "done": "Done.",
        "yes": "yes",
        "no": "no",
    },
    "de": {
        "question": "Eine Angabe fehlt mir noch: {description}. Was soll ich nehmen?",
        "choices": " Zur Auswahl stehen {choices}.",
        "or": " oder ",
        "offer": "Ich bin nicht sicher, was Sie brauchen. Ich helfe bei:",
        "no_tools": "Das kann ich nicht beantworten: Es ist kein Sprachmodell eingestellt, und dieser Agent hat keine "
        "Werkzeuge, die ich ohne eines benutzen könnte.",
        "cancelled": "In Ordnung, ich habe abgebrochen. Was kann ich sonst für Sie tun?",
        "failed": "Das hat nicht geklappt: {error}",
        "nothing": "Ich habe nichts gefunden.",
        "found": "Ich habe {count} gefunden:",
        "done": "Erledigt.",
        "yes": "ja",
        "no": "nein",
    },
}
_MONEY: Final = re.compile(r"(?i)(^|_)(amount|price|total|sum|balance|cost|fee|betrag|preis|summe)(_|$)")
_DATE: Final = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?(?:T00:00:00(?:Z|\+00:00)?)?")
_SPOKEN_KEYS: Final = ("message", "text", "answer", "summary")


def language_of(texts: Sequence[str]) -> Language:
    """Of the newest text that tells; English when none does."""
    for text in reversed(texts):
        words = set(re.findall(r"[^\W\d_]+", text.lower()))
        german, english = len(words & GERMAN) + any(c in "äöüß" for c in text.lower()), len(words & ENGLISH)
        if german != english:
            return "de" if german > english else "en"
    return "en"


def question(parameter: Parameter, language: Language) -> str:
    """One question for one missing argument. Its text also marks, in a transcript, what was asked for."""
    description = parameter.description.strip().rstrip(".") or parameter.name.replace("_", " ")
    text = _PHRASES[language]["question"].format(description=_lower_first(description))
    if parameter.choices:
        names = [str(choice) for choice in parameter.choices]
        joined = _PHRASES[language]["or"].join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        text += _PHRASES[language]["choices"].format(choices=joined)
    return text


def offer(tools: Sequence[ToolSpec], language: Language) -> str:
    """What the tools can do, as a list."""
    if not tools:
        return _PHRASES[language]["no_tools"]
    lines = [f"- {_first_sentence(tool.description)}" for tool in tools]
    return "\n".join([_PHRASES[language]["offer"], *lines])


def cancelled(language: Language) -> str:
    return _PHRASES[language]["cancelled"]


def answer(returns: Sequence[ModelToolReturn], language: Language) -> str:
    """What tools returned, for the customer to read."""
    return "\n\n".join(_returned(returned, language) for returned in returns)


def pieces(text: str) -> list[str]:
    """`text` cut after sentences and lines, for streaming; the pieces concatenate to it."""
    return [piece for piece in re.split(r"(?<=[.!?:]\s)|(?<=\n)", text) if piece]


def _returned(returned: ModelToolReturn, language: Language) -> str:
    if returned.is_error:
        return _PHRASES[language]["failed"].format(error=returned.content)
    try:
        value: object = json.loads(returned.content)
    except ValueError:
        return returned.content.strip() or _PHRASES[language]["done"]
    return _spoken(value, language)


def _spoken(value: object, language: Language) -> str:
    phrases = _PHRASES[language]
    if value is None:
        return phrases["nothing"]
    if isinstance(value, Mapping):
        return _object(cast("Mapping[str, Any]", value), language) or phrases["nothing"]
    if isinstance(value, list):
        items = cast("list[object]", value)
        if not items:
            return phrases["nothing"]
        if len(items) == 1:
            return _spoken(items[0], language)
        lines = [f"- {_spoken(item, language).rstrip('.')}" for item in items]
        return "\n".join([phrases["found"].format(count=len(items)), *lines])
    text = _value("", value, language)
    return text if re.search(r"[.!?]$", text) else f"{text[:1].upper()}{text[1:]}."


def _object(entries: Mapping[str, Any], language: Language) -> str:
    """`Month: October 2026, amount: 39.95 EUR.` after the text of a member that is a sentence already."""
    currency = next((str(v) for k, v in entries.items() if k.lower() in ("currency", "währung") and v), "")
    said = [str(entries[key]).strip() for key in _SPOKEN_KEYS if isinstance(entries.get(key), str) and entries[key]]
    money = any(_is_money(key, value) for key, value in entries.items())
    parts: list[str] = []
    for key, value in entries.items():
        spoken_already = key in _SPOKEN_KEYS and isinstance(value, str)
        merged = bool(currency) and money and key.lower() in ("currency", "währung")
        if value is None or value in ("", [], {}) or spoken_already or merged:
            continue
        text = _value(key, value, language)
        parts.append(f"{key.replace('_', ' ')}: {text}{' ' + currency if currency and _is_money(key, value) else ''}")
    if parts:
        joined = ", ".join(parts)
        said.append(f"{joined[:1].upper()}{joined[1:]}.")
    return " ".join(said)


def _is_money(key: str, value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    decimal = isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value) is not None
    return bool(_MONEY.search(key)) and (number or decimal)


def _value(key: str, value: object, language: Language) -> str:
    if isinstance(value, bool):
        return _PHRASES[language]["yes" if value else "no"]
    if isinstance(value, float):
        return f"{value:.2f}" if _MONEY.search(key) else f"{value:g}"
    if isinstance(value, Mapping):
        inner = cast("Mapping[str, object]", value)
        return "; ".join(f"{k.replace('_', ' ')} {_value(k, v, language)}" for k, v in inner.items())
    if isinstance(value, list):
        return "; ".join(_value(key, item, language) for item in cast("list[object]", value))
    text = str(value)
    match = _DATE.fullmatch(text)
    return _date(match, language) if match else text


def _date(match: re.Match[str], language: Language) -> str:
    """`5 October 2026`, `5. Oktober 2026`; without a day, month and year. No date stays as it is."""
    year, month, day = int(match[1]), int(match[2]), int(match[3] or 1)
    try:
        date(year, month, day)
    except ValueError:
        return match.group()
    name = MONTH_NAMES[language][month - 1]
    if not match[3]:
        return f"{name} {year}"
    return f"{day}{'.' if language == 'de' else ''} {name} {year}"


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s|\n", text.strip(), maxsplit=1)[0].rstrip(".")


def _lower_first(text: str) -> str:
    """Without the capital of a sentence's start; an abbreviation or an example keeps it, and so does a German noun."""
    first = text.split(maxsplit=1)[0] if text else ""
    return text[:1].lower() + text[1:] if first.lower() in _LOWERED else text


_LOWERED: Final = ENGLISH | {"month", "name", "number", "date", "new", "city", "plan", "email", "id", "what", "amount"}
