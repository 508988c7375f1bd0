"""What the customer wants now, given all that was said: the offline model's one decision. Pure.

A transcript holds texts only, so each earlier turn is decided again from the start: what was called or asked for then
follows from the same texts. That keeps the model without state, and makes a replay give the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from lmos.models.offline.choosing import FIT, STRONG, KnownTool, Tools
from lmos.models.offline.dates import find_moments, shift_month
from lmos.models.offline.filling import fill, missing, moment_value
from lmos.models.offline.parameters import Parameter
from lmos.models.offline.sentences import question
from lmos.models.offline.words import CANCEL, LEANING_STARTS, LEANING_WORDS, NEXT, PREVIOUS

__all__ = ["Decision", "Utterance", "decide"]

_FOLLOW_UP_BONUS: Final = 0.25
_FOLLOW_UP_WORDS: Final = 8
_ARGUMENT_BONUS: Final = 0.1


@dataclass(frozen=True)
class Utterance:
    """A user's text with its similarity to each tool, and what the assistant had said before it."""

    text: str
    scores: Sequence[float]
    before: str = ""


@dataclass(frozen=True)
class Decision:
    """Call `tool` with `values`, unless `missing` must be asked for first. Without a tool: say what can be done."""

    tool: KnownTool | None = None
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    missing: Parameter | None = None
    cancelled: bool = False


def decide(utterances: Sequence[Utterance], tools: Tools, today: date) -> Decision:
    """The decision for the last utterance."""
    decision = Decision()
    for utterance in utterances:
        decision = _next(decision, utterance, tools, today)
    return decision


def _next(previous: Decision, said: Utterance, tools: Tools, today: date) -> Decision:
    if previous.tool is not None and previous.missing is not None and _was_asked(previous.missing, said.before):
        answered = _answered(previous, previous.tool, previous.missing, said, tools, today)
        if answered is not None:
            return answered
    follows = previous.tool is not None and _is_follow_up(said.text)
    chosen = _choose(previous if follows else Decision(), said, tools, today)
    if chosen is None:
        return Decision()
    values = fill(chosen.parameters, said.text, today, topic=chosen.topic)
    if follows and chosen is previous.tool:
        values = {**previous.values, **_shifted(chosen, previous.values, said, today), **values}
    return Decision(chosen, values, missing(chosen.parameters, values))


def _was_asked(parameter: Parameter, text: str) -> bool:
    return any(question(parameter, language) in text for language in ("en", "de"))


def _answered(
    previous: Decision, tool: KnownTool, asked: Parameter, said: Utterance, tools: Tools, today: date
) -> Decision | None:
    """The open call, completed or asked for again; `None` when the text is about something else."""
    lower = said.text.lower()
    if _mentions(CANCEL, lower):
        return Decision(cancelled=True)
    others = [score for score, known in zip(said.scores, tools.known, strict=True) if known is not tool]
    own = said.scores[tools.known.index(tool)]
    values = fill(tool.parameters, said.text, today, asked=asked, topic=tool.topic)
    typed = asked.kind not in ("text", "name")
    if others and max(others) >= STRONG and max(others) > own and not (typed and asked.name in values):
        return None
    merged = {**previous.values, **values}
    return Decision(tool, merged, missing(tool.parameters, merged))


def _is_follow_up(text: str) -> bool:
    """A short text that leans on what was said before: "and the one before?", "what about October?"."""
    words = re.findall(r"\w+", text.lower())
    lower = " ".join(words)
    starts = any(lower.startswith(f"{start} ") for start in LEANING_STARTS)
    return len(words) <= _FOLLOW_UP_WORDS and (starts or _mentions(LEANING_WORDS, lower))


def _choose(previous: Decision, said: Utterance, tools: Tools, today: date) -> KnownTool | None:
    """The tool that fits best, or `None`. An earlier tool gets a bonus on a follow-up; so does one whose required
    arguments the text holds, which tells "ticket T-1001" from talk about tickets.
    """
    best: KnownTool | None = None
    best_score = FIT
    for score, known in zip(said.scores, tools.known, strict=True):
        if known is previous.tool:
            score = max(score, FIT) + _FOLLOW_UP_BONUS
        telling = [p for p in known.parameters if p.required and p.kind in ("id", "pattern", "uuid", "email", "enum")]
        if telling and fill(telling, said.text, today):
            score += _ARGUMENT_BONUS
        if score > best_score:
            best, best_score = known, score
    return best


def _shifted(tool: KnownTool, values: dict[str, Any], said: Utterance, today: date) -> dict[str, Any]:
    """ "The one before": the month or day of the earlier call, or else of the answer to it, moved by one."""
    lower = said.text.lower()
    by = -1 if _mentions(PREVIOUS, lower) else 1 if _mentions(NEXT, lower) else 0
    parameter = next((p for p in tool.parameters if p.kind in ("month", "date") and not p.is_list), None)
    if not by or parameter is None:
        return {}
    known = find_moments(str(values.get(parameter.name, "")), today) or find_moments(said.before, today)
    if not known:
        return {}
    moment = known[0]
    if parameter.kind == "date" and moment.day is not None:
        day = date.fromordinal(date(moment.year, moment.month, moment.day).toordinal() + by)
        return {parameter.name: moment_value(parameter, day.year, day.month, day.day)}
    year, month = shift_month(moment.year, moment.month, by)
    value = moment_value(parameter, year, month, moment.day)
    return {} if value is None else {parameter.name: value}


def _mentions(words: Sequence[str], text: str) -> bool:
    return any(re.search(rf"\b{re.escape(word)}\b", text) for word in words)
