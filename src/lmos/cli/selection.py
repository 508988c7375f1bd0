"""Which objects a command means: `TYPE`, `TYPE NAME...`, `TYPE/NAME...`, `-l`, as kubectl reads them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from lmos.cli.errors import CommandError
from lmos.resources.kinds import KINDS, Kind, kind_named

__all__ = ["LabelSelector", "Target", "kinds_in", "parse_selector", "parse_targets", "qualified"]

_TYPES_FIX = f"use one of {', '.join(f'{kind.plural} ({kind.short})' for kind in KINDS)}"


@dataclass(frozen=True, slots=True)
class Target:
    """One object, or with `name` `None` all of its kind."""

    kind: Kind
    name: str | None = None


def qualified(kind: Kind, name: str) -> str:
    """`channel.lmos.eclipse/web`, as kubectl names objects."""
    return f"{kind.singular}.lmos.eclipse/{name}"


def parse_targets(words: Sequence[str]) -> list[Target]:
    """`channels`, `ch,ag`, `all`, `channel web ivr` or `channel/web agent/billing`. Raises `CommandError`."""
    if not words:
        raise CommandError("no type is named", f"{_TYPES_FIX}, or all of them: all")
    if any("/" in word for word in words):
        return [_slashed(word) for word in words]
    kinds, names = kinds_in(words[0]), words[1:]
    if not names:
        return [Target(kind) for kind in kinds]
    return [Target(kind, name) for kind in kinds for name in names]


def kinds_in(text: str) -> list[Kind]:
    """The kinds of a comma-separated list of types, each once. Raises `CommandError`."""
    if text == "all":
        return list(KINDS)
    return list(dict.fromkeys(_kind(name) for name in text.split(",")))


def _slashed(word: str) -> Target:
    kind, slash, name = word.partition("/")
    if not slash or not name or "/" in name:
        raise CommandError(f"{word!r} is not TYPE/NAME", "write all of them as TYPE/NAME, or as TYPE NAME...")
    return Target(_kind(kind), name)


def _kind(name: str) -> Kind:
    try:
        return kind_named(name)
    except KeyError:
        known = [alias for kind in KINDS for alias in (kind.plural, kind.singular)]
        near = get_close_matches(name.lower(), known, n=1)
        raise CommandError(f"unknown type {name!r}", f"did you mean {near[0]!r}?" if near else _TYPES_FIX) from None


@dataclass(frozen=True, slots=True)
class _Requirement:
    """`values` is `None` when only the key's presence counts; `negated` turns the answer around."""

    key: str
    values: frozenset[str] | None
    negated: bool

    def holds(self, labels: Mapping[str, str]) -> bool:
        found = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return found is not self.negated


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All of its requirements must hold; an empty one selects everything."""

    requirements: tuple[_Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.holds(labels) for requirement in self.requirements)


_KEY = r"[A-Za-z0-9][A-Za-z0-9_./-]*"
_VALUE = r"[A-Za-z0-9_.-]*"
_TERM = re.compile(
    rf"\s*(?:(?P<not>!)\s*(?P<absent>{_KEY})"
    rf"|(?P<key>{_KEY})\s*(?:(?P<op>==|=|!=)\s*(?P<value>{_VALUE})"
    rf"|\s(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)\s*(?:,|$)"
)


def parse_selector(text: str) -> LabelSelector:
    """Kubernetes' label selector syntax. Raises `CommandError` naming what cannot be read."""
    requirements: list[_Requirement] = []
    position = 0
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None:
            fix = "write key=value, key!=value, key, !key, or 'key in (a,b)', joined by commas"
            raise CommandError(f"selector {text!r} cannot be read at {text[position:]!r}", fix)
        requirements.append(_requirement(term))
        position = term.end()
    return LabelSelector(tuple(requirements))


def _requirement(term: re.Match[str]) -> _Requirement:
    if term["absent"]:
        return _Requirement(term["absent"], None, negated=True)
    if term["op"]:
        return _Requirement(term["key"], frozenset([term["value"]]), negated=term["op"] == "!=")
    if term["set"]:
        values = frozenset(value.strip() for value in term["values"].split(","))
        return _Requirement(term["key"], values, negated=term["set"] == "notin")
    return _Requirement(term["key"], None, negated=False)
