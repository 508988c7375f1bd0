"""Reads what a language model answered, also where it wrapped, decorated or misspelt the JSON that was asked for. Pure.

Models put answers into code fences or `<answer>` tags, explain themselves before and after, or leave out quotes. The
order of the attempts is from the strictest reading to the loosest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

__all__ = ["NamedAgent", "Unreadable", "json_answer", "named_agent"]

AGENT_MEMBERS: Final = ("agentId", "agentName", "agent")
"""Under which names the agent may stand: those of the two Eclipse LMOS contracts, and the obvious one."""

LONGEST_REASON: Final = 300

_ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```(?:json)?\s*(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_LOOSE = re.compile(r"""["']?\b({})\b["']?\s*[:=]\s*["']?([^"',}}\s]*)""".format("|".join(AGENT_MEMBERS)))
_NONE = frozenset({"", "null", "none"})


class Unreadable(ValueError):
    """The answer holds nothing that was asked for. The message shows its beginning."""


@dataclass(frozen=True, slots=True)
class NamedAgent:
    """The agent that a model names, `None` when it says that none fits, and why."""

    agent: str | None
    reason: str = ""


def named_agent(text: str) -> NamedAgent:
    """The agent named in `text`. Raises `Unreadable` when it neither names one nor says that there is none."""
    try:
        found = json_answer(text, AGENT_MEMBERS)
    except Unreadable:
        loose = _LOOSE.search(text)
        if loose is None:
            raise
        return NamedAgent(_name(loose[2]))
    member = next(name for name in AGENT_MEMBERS if name in found)
    value: object = found[member]
    if not isinstance(value, str | int | float | None):
        raise Unreadable(f"{member!r} is {value!r} in the answer, not the name of one agent")
    reason: object = found.get("reason")
    return NamedAgent(_name(value), "" if reason is None else str(reason)[:LONGEST_REASON])


def json_answer(text: str, members: Sequence[str]) -> Mapping[str, Any]:
    """The JSON object in `text` that has one of `members`; the last one, for models conclude after they reason.

    Raises `Unreadable`.
    """
    for candidate in _readings(text):
        found = [value for value in _objects(candidate) if any(member in value for member in members)]
        if found:
            return found[-1]
    raise Unreadable(f"no JSON object with {' or '.join(map(repr, members))} in the answer {text[:200]!r}")


def _name(value: object) -> str | None:
    name = "" if value is None else str(value).strip()
    return None if name.casefold() in _NONE else name


def _readings(text: str) -> Iterator[str]:
    """What of `text` may be meant as the answer, likeliest first."""
    yield from _ANSWER.findall(text)
    yield from _FENCE.findall(text)
    yield text


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    """Every JSON object in `text` that lies in no other."""
    decoder = json.JSONDecoder()
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            position = text.find("{", position + 1)
            continue
        if isinstance(value, dict):
            yield cast("Mapping[str, Any]", value)
        position = text.find("{", end)
