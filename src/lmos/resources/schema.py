"""JSON schemas of the resource models in the flat form that CRDs demand: no references, titles, defaults or nulls.

The CRDs are made of it, and the loader asks it which fields a place in a manifest may have.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from pydantic import BaseModel

__all__ = ["Schema", "schema_at", "schema_of"]

Schema = dict[str, Any]

_DROPPED = frozenset({"title", "default", "const", "additionalProperties"})


@lru_cache(maxsize=32)
def schema_of(model: type[BaseModel]) -> Schema:
    """The schema of `model` with wire names. Shared: copy before changing.

    Maps keep `additionalProperties`; models lose theirs, since a structural schema names its properties.
    """
    raw = model.model_json_schema(by_alias=True)
    return _inline(raw, raw.get("$defs", {}))


def schema_at(schema: Schema, path: tuple[str | int, ...]) -> Schema:
    """The schema at `path`; empty where the schema says nothing."""
    for step in path:
        if isinstance(step, int):
            schema = schema.get("items", {})
        else:
            schema = schema.get("properties", {}).get(step) or schema.get("additionalProperties") or {}
    return schema


def _inline(node: Schema, definitions: dict[str, Schema]) -> Schema:
    if ref := node.get("$ref"):
        # What stands beside a reference (the field's own description) is more precise than what it refers to.
        node = {**definitions[ref.removeprefix("#/$defs/")], **{k: v for k, v in node.items() if k != "$ref"}}
    if choices := node.get("anyOf"):
        # pydantic writes `X | None` as a choice; Kubernetes takes a missing field for none.
        (choice,) = (choice for choice in choices if choice != {"type": "null"})
        beside = {k: v for k, v in node.items() if k != "anyOf"}
        return _inline({**choice, **beside}, definitions)
    flat: Schema = {k: v for k, v in node.items() if k not in _DROPPED and k not in ("$defs", "properties", "items")}
    if "description" in flat:
        flat["description"] = " ".join(flat["description"].split())
    if "const" in node:
        flat["enum"] = [node["const"]]
    if "properties" in node:
        flat["properties"] = {k: _inline(v, definitions) for k, v in node["properties"].items()}
    if "items" in node:
        flat["items"] = _inline(node["items"], definitions)
    if isinstance(values := node.get("additionalProperties"), dict):
        flat["additionalProperties"] = _inline(cast("Schema", values), definitions)
    return flat
