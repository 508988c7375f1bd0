"""Which fields an object may have, and what they may hold: by the CRD's schema, and by the model that it is made of.

The real server checks by the schema and its rules alone; models refuse the same values in other words. Pure.
"""

from __future__ import annotations

from typing import Any, cast

from pydantic import ValidationError

from lmos.resources.schema import Schema
from lmos.testing.api_server.answers import Json, cause, invalid
from lmos.testing.api_server.fields import child_schema
from lmos.testing.api_server.served import Served

__all__ = ["check", "without_unknown"]


def without_unknown(served: Served, found: Json) -> tuple[Json, list[str]]:
    """The object without fields that its schema does not know, and their paths."""
    if not served.strict:
        return found, []
    unknown: list[str] = []
    kept: Json = {}
    for name, value in found.items():
        if name in ("apiVersion", "kind", "metadata"):
            kept[name] = value
        elif (below := child_schema(served.schema, name)) is None:
            unknown.append(name)
        else:
            kept[name] = _known(value, below, name, unknown)
    return kept, unknown


def _known(value: Any, schema: Schema, path: str, unknown: list[str]) -> Any:
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_known(item, items, f"{path}[{i}]", unknown) for i, item in enumerate(cast("list[Any]", value))]
    if not isinstance(value, dict):
        return value
    kept: Json = {}
    for name, child in cast("Json", value).items():
        below = child_schema(schema, name)
        if below is None:
            unknown.append(f"{path}.{name}")
        elif child is not None:
            kept[name] = _known(child, below, f"{path}.{name}", unknown)
    return kept


def check(served: Served, found: Json) -> None:
    """Raises the `Refusal` of an object that its model refuses."""
    if served.model is None:
        return
    nulls = [path for part in ("spec", "status") if part in found for path in _nulls(found[part], part)]
    if nulls:
        said = 'Invalid value: "null": {} in body must be of type object: "null"'
        causes = [cause("FieldValueTypeInvalid", said.format(path), path) for path in nulls]
        raise invalid(served, found["metadata"]["name"], causes)
    try:
        served.model.model_validate(found, extra="ignore")
    except ValidationError as error:
        causes: list[Json] = []
        for fault in error.errors(include_url=False):
            if fault["type"] == "missing" and len(fault["loc"]) == 1:
                continue  # no CRD demands a spec
            said = f"Invalid value: {fault['input']!r}: {fault['msg']}"
            causes.append(cause("FieldValueInvalid", said, _path(fault["loc"])))
        if causes:
            raise invalid(served, found["metadata"]["name"], causes) from error


def _nulls(value: Any, path: str) -> list[str]:
    """Where there is null, which no schema of ours allows."""
    if isinstance(value, dict):
        return [deep for name, child in cast("Json", value).items() for deep in _nulls(child, f"{path}.{name}")]
    return [path] if value is None else []


def _path(parts: tuple[str | int, ...]) -> str:
    words = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts]
    return "".join(words).removeprefix(".")
