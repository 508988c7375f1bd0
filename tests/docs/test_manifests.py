"""`reference/manifests.md` names every field of every kind as the CRDs have it, with type and bounds, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lmos.resources.base import ObjectMeta
from lmos.resources.crds import crds
from lmos.resources.kinds import KINDS
from tests.docs.pages import ROOT, rows, text_of

_PAGE = text_of("reference/manifests.md")
_ORIGINAL: dict[str, Any] = json.loads((ROOT / "tests/data/jvm_golden/crd_fields.json").read_text())


def section(kind: str) -> str:
    """The part of the page about `kind`."""
    return _PAGE.split(f"\n## {kind}\n", 1)[1].split("\n## ", 1)[0]


def schemas() -> dict[str, dict[str, Any]]:
    """Schema of each kind."""
    return {
        crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        for crd in crds()
    }


def fields(kind: str) -> Iterator[tuple[str, str, str]]:
    """Path, type with bounds, and description of each field of `kind`."""
    for name in ("spec", "status"):
        schema = schemas()[kind][name]
        yield from _below(name, schema)


def _below(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    required = schema.get("required", [])
    for name, child in schema.get("properties", {}).items():
        where = f"{path}.{name}"
        yield where, kind_of(child) + (", required" if name in required else ""), child.get("description", "")
        if child["type"] == "array":
            yield from _below(f"{where}[]", child["items"])
        else:
            yield from _below(where, child)


def kind_of(schema: dict[str, Any]) -> str:
    """Type and bounds in words."""
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    match schema["type"]:
        case "string":
            return f"text{_between(schema.get('minLength'), schema.get('maxLength'))}"
        case "integer":
            return f"integer{_between(schema.get('minimum'), schema.get('maximum'))}"
        case "array":
            items = schema["items"]
            inner = "objects" if items["type"] == "object" else f"{kind_of(items)} each"
            return f"list{_between(schema.get('minItems'), schema.get('maxItems'))} of {inner}"
        case other:
            return other


def _between(least: int | None, most: int | None) -> str:
    if most is None:
        return "" if least is None else f" from {least}"
    return f" up to {most}" if least is None else f" {least} to {most}"


def _original_fields(kind: str) -> set[str]:
    """The fields that the original's own CRDs have."""
    (crd,) = (crd for crd in _ORIGINAL.values() if crd["names"]["kind"] == kind)
    return {path.removeprefix(".") for path in crd["fields"]}


@pytest.mark.parametrize("kind", [kind.kind for kind in KINDS])
def test_the_page_names_every_field_with_its_type_and_no_other(kind: str) -> None:
    documented = {cells[0].replace(" †", "").strip("`"): cells[1] for cells in rows(section(kind)) if "." in cells[0]}
    assert documented == {path: words for path, words, _ in fields(kind)}


@pytest.mark.parametrize("kind", [kind.kind for kind in KINDS])
def test_a_dagger_marks_what_eclipse_lmos_does_not_have(kind: str) -> None:
    marked = {cells[0].replace(" †", "").strip("`") for cells in rows(section(kind)) if "†" in cells[0]}
    assert marked == {path for path, _, _ in fields(kind)} - _original_fields(kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_the_page_names_every_printer_column_and_short_name(kind: Any) -> None:
    (row,) = (cells for cells in rows(_PAGE) if cells[0] == f"`{kind.kind}`")
    assert row[1] == f"`{kind.plural}`, `{kind.singular}`, `{kind.short}`"
    assert row[2] == ", ".join(f"`{column.name}`" + (" (wide)" if column.wide else "") for column in kind.columns)


def test_the_page_names_every_metadata_field() -> None:
    documented = {cells[0].strip("`") for cells in rows(_PAGE) if cells[0].startswith("`metadata.")}
    known = {f"metadata.{field.alias}" for field in ObjectMeta.model_fields.values()}
    assert documented == known
