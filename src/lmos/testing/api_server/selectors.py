"""Label selectors, as in the query of a list: `a=b,c!=d,e in (f,g),h notin (i),j,!k`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from lmos.testing.api_server.answers import bad_request

__all__ = ["Selector", "selector_of"]

Selector = Callable[[Mapping[str, str]], bool]
"""Whether an object with these labels is selected."""

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._/-]*"
_VALUE: Final = r"[A-Za-z0-9._-]*"
_TERM: Final = re.compile(
    rf"\s*(?:(?P<not>!)\s*(?P<absent>{_NAME})"
    rf"|(?P<name>{_NAME})\s*(?:(?P<operator>==|=|!=)\s*(?P<value>{_VALUE})"
    rf"|\s(?P<among>in|notin)\s*\((?P<values>[^)]*)\))?)\s*(?:,|$)"
)


def selector_of(text: str) -> Selector:
    """The selector of a query; an empty one selects all. Raises the `Refusal` of one that cannot be read."""
    terms: list[Selector] = []
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise bad_request(f"unable to parse requirement: found {text[position:]!r}, expected: identifier")
        terms.append(_term(match))
        position = match.end()
    return lambda labels: all(term(labels) for term in terms)


def _term(match: re.Match[str]) -> Selector:
    if (absent := match["absent"]) is not None:
        return lambda labels: absent not in labels
    name = match["name"]
    if match["operator"] is not None:
        value = match["value"]
        if match["operator"] == "!=":
            return lambda labels: labels.get(name) != value
        return lambda labels: labels.get(name) == value
    if match["among"] is None:
        return lambda labels: name in labels
    values = {value.strip() for value in match["values"].split(",")}
    if match["among"] == "notin":
        return lambda labels: labels.get(name) not in values
    return lambda labels: labels.get(name) in values
