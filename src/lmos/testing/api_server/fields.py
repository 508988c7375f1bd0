"""Sets of fields, in the form in which `managedFields` writes them, and what a change does to them. Pure.

A set is a tree of dictionaries: `{"f:spec": {"f:id": {}}, ...}`. A key is one step of a path: `f:` and a field's name,
`k:` and the keys of a list's item, `v:` and a value in a set. A node that is empty, or holds `.`, is a member itself.
Nothing here changes what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

import orjson

from lmos.resources.schema import Schema

__all__ = [
    "Change",
    "Fields",
    "Misfit",
    "child_schema",
    "compare",
    "difference",
    "fields_of",
    "is_atomic",
    "is_member",
    "keyed_items",
    "overlap",
    "paths",
    "union",
]

Fields = dict[str, Any]
Json = dict[str, Any]

_SELF: Final = "."
_LIST: Final = "x-kubernetes-list-type"
_KEYS: Final = "x-kubernetes-list-map-keys"
_MAP: Final = "x-kubernetes-map-type"
_NOTHING: Final[Fields] = {}
_GO_TYPES: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "string": ("string", lambda value: isinstance(value, str)),
    "integer": ("numeric (int or float)", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "boolean": ("boolean", lambda value: isinstance(value, bool)),
    "array": ("list", lambda value: isinstance(value, list)),
    "object": ("map", lambda value: isinstance(value, dict)),
}


class Misfit(Exception):
    """What is to be applied does not fit the schema; the message names the field."""


@dataclass(frozen=True, slots=True)
class Change:
    """The fields that differ between two objects."""

    removed: Fields = field(default_factory=dict[str, Any])
    modified: Fields = field(default_factory=dict[str, Any])
    added: Fields = field(default_factory=dict[str, Any])


def fields_of(value: Json, schema: Schema, path: str = "") -> Fields:
    """What who applies `value` owns: its leaves, and the items of its lists. Raises `Misfit`."""
    found: Fields = {}
    for name, child in value.items():
        below = child_schema(schema, name)
        if below is None:
            raise Misfit(f"{path}.{name}: field not declared in schema")
        node = _applied(child, below, f"{path}.{name}")
        if node is not None:
            found[f"f:{name}"] = node
    return found


def _applied(value: Any, schema: Schema, path: str) -> Fields | None:
    _check(value, schema, path)
    if isinstance(value, dict):
        if not value or is_atomic(schema):
            return {}
        return fields_of(cast("Json", value), schema, path) or None
    items = keyed_items(value, schema)
    if items is None:
        return {}
    below = _items(schema)
    found = {step: _node(True, _applied(item, below, path)) for step, item in items.items()}
    return found or None


def _check(value: Any, schema: Schema, path: str) -> None:
    known = _GO_TYPES.get(schema.get("type", ""))
    if known is not None and value is not None and not known[1](value):
        raise Misfit(f"{path}: expected {known[0]}, got &value.valueUnstructured{{Value:{value}}}")


def child_schema(schema: Schema, name: str) -> Schema | None:
    """The schema of a field; empty where anything goes, `None` where there is no such field."""
    properties: dict[str, Schema] = schema.get("properties", _NOTHING)
    found = properties.get(name)
    if found is not None:
        return found
    more: Schema | None = schema.get("additionalProperties")
    if more is not None:
        return more
    return None if properties and "type" in schema else _NOTHING


def is_atomic(schema: Schema) -> bool:
    """Whether a map is one leaf."""
    return schema.get(_MAP) == "atomic"


def keyed_items(value: Any, schema: Schema) -> Json | None:
    """The items by their step, of a list whose items are merged one by one; `None` for all that is one leaf."""
    kind = schema.get(_LIST)
    if kind is None or not isinstance(value, list):
        return None
    items = cast("list[Any]", value)
    if kind == "map":
        names: list[str] = sorted(schema[_KEYS])
        return {"k:" + orjson.dumps({name: item.get(name) for name in names}).decode(): item for item in items}
    return {f"v:{orjson.dumps(item).decode()}": item for item in items} if kind == "set" else None


def _items(schema: Schema) -> Schema:
    return schema.get("items", _NOTHING)


def compare(old: Json, new: Json, schema: Schema) -> Change:
    """The fields that `new` has not, has otherwise, or has in addition."""
    change = Change()
    _compare_maps(old, new, schema, change)
    return change


def _compare_maps(old: Json, new: Json, schema: Schema, into: Change) -> None:
    steps = {f"f:{name}": (old.get(name), new.get(name), name) for name in (*old, *new)}
    for step, (before, after, name) in steps.items():
        below = child_schema(schema, name) or _NOTHING
        _compare_step(step, (name in old, before), (name in new, after), below, into)


def _compare_step(step: str, old: tuple[bool, Any], new: tuple[bool, Any], schema: Schema, into: Change) -> None:
    if not new[0] or (new[1] is None and old[1] is not None):
        into.removed[step] = _whole(old[1], schema)
    elif not old[0]:
        into.added[step] = _whole(new[1], schema)
    elif old[1] != new[1]:
        change = Change()
        if isinstance(old[1], dict) and isinstance(new[1], dict) and not is_atomic(schema):
            _compare_maps(cast("Json", old[1]), cast("Json", new[1]), schema, change)
        elif (before := keyed_items(old[1], schema)) is not None and (after := keyed_items(new[1], schema)) is not None:
            _compare_items(before, after, schema, change)
        else:
            into.modified[step] = {}
            return
        for below, side in (
            (change.removed, into.removed),
            (change.modified, into.modified),
            (change.added, into.added),
        ):
            if below:
                side[step] = below


def _compare_items(old: Json, new: Json, schema: Schema, into: Change) -> None:
    for step in dict.fromkeys((*old, *new)):
        _compare_step(step, (step in old, old.get(step)), (step in new, new.get(step)), _items(schema), into)


def _whole(value: Any, schema: Schema) -> Fields:
    """A value that came or went: all of its fields, and itself."""
    below: Fields = {}
    if isinstance(value, dict) and not is_atomic(schema):
        for name, child in cast("Json", value).items():
            below[f"f:{name}"] = _whole(child, child_schema(schema, name) or _NOTHING)
    elif items := keyed_items(value, schema):
        below = {step: _whole(item, _items(schema)) for step, item in items.items()}
    return {_SELF: {}, **below} if below else {}


def is_member(node: Fields) -> bool:
    """Whether the field of this node, which is not the root, belongs to the set, besides what is below."""
    return not node or _SELF in node


def _below(node: Fields) -> Iterator[tuple[str, Fields]]:
    return ((step, child) for step, child in node.items() if step != _SELF)


def _node(member: bool, below: Fields | None) -> Fields:
    below = below or {}
    return {_SELF: {}, **below} if member and below else below


def union(*sets: Fields) -> Fields:
    """All that is in any of them."""
    found: Fields = {}
    for other in sets:
        for step, node in _below(other):
            known = found.get(step)
            if known is None or known == node:
                found[step] = node
            else:
                found[step] = _node(is_member(known) or is_member(node), union(known, node))
    return found


def difference(left: Fields, right: Fields) -> Fields:
    """What is in `left` and not in `right`."""
    found: Fields = {}
    for step, node in _below(left):
        other = right.get(step)
        if other is None:
            found[step] = node
            continue
        member, below = is_member(node) and not is_member(other), difference(node, other)
        if member or below:
            found[step] = _node(member, below)
    return found


def overlap(left: Fields, right: Fields) -> Fields:
    """What is in both."""
    found: Fields = {}
    for step, node in _below(left):
        other = right.get(step)
        if other is None:
            continue
        member, below = is_member(node) and is_member(other), overlap(node, other)
        if member or below:
            found[step] = _node(member, below)
    return found


def paths(fields: Fields, prefix: str = "") -> list[str]:
    """The members, in words: `.spec.id`, `.status.conditions[type="Ready"].reason`; those above come first."""
    nodes = [(prefix + _in_words(step), node) for step, node in sorted(_below(fields), key=lambda below: below[0])]
    return [path for path, node in nodes if is_member(node)] + [
        deep for path, node in nodes for deep in paths(node, path)
    ]


def _in_words(step: str) -> str:
    kind, _, text = step.partition(":")
    if kind == "f":
        return f".{text}"
    if kind == "v":
        return f"[={text}]"
    keys: Json = orjson.loads(text)
    return "[" + ",".join(f"{name}={orjson.dumps(value).decode()}" for name, value in keys.items()) + "]"
