"""values.yaml as people read it: each value's path, default and meaning, which is the comment above it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

__all__ = ["Value", "values_of"]

_KEY = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z]+):")
_COMMENT = re.compile(r"^(?P<indent> *)# (?P<text>.*)$")


@dataclass(frozen=True)
class Value:
    """One value; a map that is explained as a whole is one. `meaning` is empty where there is no comment."""

    path: str
    default: str
    meaning: str


def values_of(text: str) -> Iterator[Value]:
    """The values of a values.yaml, in order. Defaults are JSON."""
    defaults = yaml.safe_load(text)
    lines = text.splitlines()
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    done_below = -1  # indentation of a value that was given as a whole
    for number, line in enumerate(lines):
        if explained := _COMMENT.match(line):
            comment.append(explained["text"])
            continue
        key = _KEY.match(line)
        if key is None or (0 <= done_below < len(key["indent"])):
            comment = [] if not line.strip() else comment
            continue
        indent = len(key["indent"])
        path = [step for step in path if step[0] < indent] + [(indent, key["name"])]
        names = [name for _, name in path]
        default, done_below = _at(defaults, names), -1
        whole = bool(comment) and not _explains_parts(lines[number + 1 :], indent)
        if whole or default == {} or not isinstance(default, dict):
            done_below = indent
            yield Value(".".join(names), json.dumps(default), " ".join(comment))
        comment = []


def _explains_parts(lines: list[str], indent: int) -> bool:
    """Whether a comment stands among the lines that belong to a key at `indent`."""
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            return False
        if _COMMENT.match(line):
            return True
    return False


def _at(data: Any, names: list[str]) -> Any:
    for name in names:
        data = data[name]
    return data
