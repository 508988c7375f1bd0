"""What is wrong with a manifest, in words: `ManifestError`, and pydantic's errors put as message and fix.

The loader raises it, the CLI prints it. It knows YAML nodes and schemas, not files.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from lmos.resources.schema import Schema, schema_at
from lmos.resources.validation import Path, Place, Problem
from lmos.resources.yaml_tree import Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["ManifestError", "did_you_mean", "explain", "node_at", "stand_in"]

MAX_SHOWN = 50


class ManifestError(ValueError):
    """Manifests cannot be loaded. `problems` has everything found, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        unique = {(str(p.place), p.field, p.message): p for p in problems}
        self.problems = tuple(sorted(unique.values(), key=_order))
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        head = "1 problem in the manifests" if count == 1 else f"{count} problems in the manifests"
        shown = [f"  {str(problem).replace(chr(10), chr(10) + '  ')}" for problem in self.problems[:MAX_SHOWN]]
        if count > MAX_SHOWN:
            shown.append(f"  and {count - MAX_SHOWN} more")
        return "\n".join([f"{head}:", *shown])


def node_at(root: Node, path: Path) -> tuple[Place, Node | None]:
    """The node at `path` and its place; where the path leaves the tree, the place of the last node on it."""
    node, place = root, root.place
    for step in path:
        if isinstance(node, Mapping) and isinstance(step, str) and step in node.entries:
            node = node.entries[step][1]
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            return place, None
        place = node.place
    return place, node


def explain(error: ErrorDetails, root: Node, schema: Schema) -> Problem:
    """One of pydantic's errors as a `Problem` at its place in the tree under `root`."""
    path: Path = error["loc"]
    place, node = node_at(root, path)
    value = node.text if isinstance(node, Scalar) else None
    kind = error["type"]
    if kind == "missing":
        return Problem(path, None, "the field is missing", _example(path, schema_at(schema, path)), place=place)
    if kind == "extra_forbidden":
        return _unknown_field(path, root, schema)
    if kind in _SHAPES:
        message, fix = _wrong_type(path, node, _SHAPES[kind])
    elif kind in ("enum", "literal_error"):
        allowed = [str(choice) for choice in schema_at(schema, path).get("enum", [])]
        message = f"{value!r} is not one of {', '.join(allowed)}"
        fix = did_you_mean(value or "", allowed) or f"write one of {', '.join(allowed)}"
    else:
        message, fix = _out_of_bounds(error)
    return Problem(path, value, message, fix, place=place)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """`did you mean 'x'?` for the known name nearest to `name`, whatever the case; `None` when none is near."""
    spellings = {known_name.lower(): known_name for known_name in known}
    near = get_close_matches(name.lower().replace("_", ""), spellings, n=1)
    return f"did you mean {spellings[near[0]]!r}?" if near else None


def stand_in(schema: Schema, node: Node | None) -> Any:
    """Some value that fits `schema`, near to the one at `node`: with it the rest of a resource can be checked."""
    text = node.text if isinstance(node, Scalar) else ""
    if "enum" in schema:
        allowed: list[str] = schema["enum"]
        return next(iter(get_close_matches(text, allowed, n=1)), allowed[0])
    match schema.get("type"):
        case "array":
            return []
        case "object":
            return {}
        case "integer":
            return schema.get("minimum", 0)
        case _:
            return text[: schema.get("maxLength", len(text))] or "-"


# What pydantic demands, by its error types.
_SHAPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _wrong_type(path: Path, node: Node | None, demanded: str) -> tuple[str, str]:
    key = next((step for step in reversed(path) if isinstance(step, str)), "value")
    in_list = bool(path) and isinstance(path[-1], int)
    match node:
        case Scalar(type="null"):
            return f"must be {demanded}, but has no value", "give it a value or remove the field"
        case Scalar() if demanded == "text":
            message = f"must be text, but YAML reads {node.text} as {_READ_AS.get(node.type, node.type)}"
            quoted = f'"{_completed(path, node.text)}"'
            return message, f"quote it: {'- ' if in_list else f'{key}: '}{quoted}"
        case Scalar() if demanded == "a list":
            return f"must be a list, not {_shown(node.text)}", f"write {key}: [{node.text}]"
        case Scalar():
            found = f"{_shown(node.text)}"
        case Sequence():
            found = "a list"
        case _:
            found = "a mapping"
    return f"must be {demanded}, not {found}", _SHAPE_FIXES[demanded].format(key=key)


_READ_AS = {"int": "a number", "float": "a number", "bool": "true or false"}
_SHAPE_FIXES = {
    "text": "write one value after '{key}:'",
    "a whole number": "write digits without quotes or decimal point, as in '{key}: 10'",
    "true or false": "write '{key}: true' or '{key}: false', without quotes",
    "a list": "write '{key}:' and each entry on a line of its own after '- '",
    "a mapping": "write '{key}:' and its fields indented on the lines below",
}


def _completed(path: Path, text: str) -> str:
    """What an agent provides is one version, of three numbers."""
    if path[-1] == "version" and "providedCapabilities" in path and text.replace(".", "").isdigit():
        return text + ".0" * (2 - text.count("."))
    return text


def _unknown_field(path: Path, root: Node, schema: Schema) -> Problem:
    parent, name = path[:-1], str(path[-1])
    _, node = node_at(root, parent)
    place = root.place
    if isinstance(node, Mapping) and name in node.entries:
        place = node.entries[name][0].place
    known = list(schema_at(schema, parent).get("properties", {}))
    fix = did_you_mean(name, known) or f"remove it; known fields here: {', '.join(known)}"
    return Problem(path, name, f"unknown field {_shown(name)}", fix, place=place)


def _example(path: Path, schema: Schema) -> str:
    name = path[-1]
    match schema.get("type"):
        case "array":
            return f"add '{name}:' with a list"
        case "object":
            return f"add '{name}:' with its fields"
        case _:
            return f"add '{name}: ...'"


def _out_of_bounds(error: ErrorDetails) -> tuple[str, str]:
    bounds = error.get("ctx", {})
    match error["type"]:
        case "string_too_long":
            return f"has more than {bounds['max_length']} characters", "shorten it"
        case "too_long":
            return f"has more than {bounds['max_length']} entries", "take some away"
        case "string_too_short":
            return "must not be empty", "give it a value"
        case "greater_than_equal":
            return f"is less than {bounds['ge']}", f"write {bounds['ge']} or more"
        case "less_than_equal":
            return f"is more than {bounds['le']}", f"write {bounds['le']} or less"
        case _:
            return error["msg"], "see the output of 'lmos crds' for what the field takes"


def _shown(text: str | None) -> str:
    return repr(text if text is None or len(text) <= 60 else text[:57] + "...")


def _order(problem: Problem) -> tuple[str, int, int]:
    place = problem.place or Place("")
    return place.file, place.line, place.column
