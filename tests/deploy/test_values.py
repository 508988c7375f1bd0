"""What the chart says of itself agrees: values.yaml, its README, its schema, its CRDs, its version."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

import yaml

from lmos.resources.crds import crds_yaml
from tests.deploy.chart import CHART
from tests.deploy.values import values_of
from tests.docs.pages import ROOT, rows, text_of

_VALUES: Final = (CHART / "values.yaml").read_text()
_README: Final = (CHART / "README.md").read_text()
_SCHEMA: Final[dict[str, Any]] = json.loads((CHART / "values.schema.json").read_text())
_ECLIPSE: Final[dict[str, dict[str, Any]]] = yaml.safe_load((CHART / "eclipse-values.yaml").read_text())


def test_every_value_is_explained() -> None:
    assert [value.path for value in values_of(_VALUES) if not value.meaning] == []


def test_the_readme_lists_the_values_with_their_defaults_and_meanings() -> None:
    listed = [tuple(cells) for cells in rows(_README) if len(cells) == 3]
    assert listed == [(f"`{value.path}`", f"`{value.default}`", value.meaning) for value in values_of(_VALUES)]


def test_the_readme_lists_what_became_of_the_values_of_eclipse_lmos() -> None:
    refused = [(f"`{path}`", fate["instead"]) for path, fate in _eclipse()]
    listed = [tuple(cells) for cells in rows(_README) if len(cells) == 2 and cells[0].startswith("`")]
    assert listed == refused


def test_the_schema_knows_every_value() -> None:
    assert [value.path for value in values_of(_VALUES) if _schema_at(value.path) is None] == []


def test_the_schema_describes_the_refused_values_as_the_chart_refuses_them() -> None:
    described = {path: (_schema_at(path) or {}).get("description") for path, _ in _eclipse()}
    assert described == {path: f"Refused: {fate['instead']}." for path, fate in _eclipse()}


def test_the_schema_lets_the_names_of_both_parts_through_to_be_refused_with_a_hint() -> None:
    properties = _SCHEMA["properties"]
    names = {name for part in ("operator", "runtime") for name in properties[part]["properties"]} - {"enabled"}
    assert names - set(properties) == set()


def test_no_map_of_the_schema_takes_unknown_names_unless_it_takes_any() -> None:
    open_maps = [
        path for path, node in _maps(_SCHEMA, "") if "properties" in node and "additionalProperties" not in node
    ]
    assert open_maps == []


def test_the_crds_are_those_of_the_command() -> None:
    stored = (CHART / "crds/lmos.eclipse.yaml").read_text()
    assert stored == crds_yaml(), "run: lmos crds > deploy/helm/lmos/crds/lmos.eclipse.yaml"


def test_the_chart_installs_the_version_that_it_comes_with() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_every_variable_that_the_chart_sets_is_a_setting() -> None:
    documented = {cells[0].strip("`") for cells in rows(text_of("reference/settings.md"))}
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    assert set(re.findall(r"- name: (LMOS_\w+)", templates)) - documented == set()


def _eclipse() -> Iterator[tuple[str, dict[str, Any]]]:
    for part, names in _ECLIPSE.items():
        for name, fate in names.items():
            yield f"{part}.{name}", fate


def _schema_at(path: str) -> dict[str, Any] | None:
    node: dict[str, Any] = _SCHEMA
    for name in path.split("."):
        found = _resolved(node).get("properties", {}).get(name)
        if found is None:
            return None
        node = found
    return _resolved(node)


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    return _SCHEMA["definitions"][reference.rpartition("/")[2]] if reference else node


def _maps(node: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        if node.get("type") == "object":  # pyright: ignore[reportUnknownMemberType]
            yield path, node
        for name, child in node.items():  # pyright: ignore[reportUnknownVariableType]
            yield from _maps(child, f"{path}.{name}")
    elif isinstance(node, list):
        for child in node:  # pyright: ignore[reportUnknownVariableType]
            yield from _maps(child, path)
