"""The CRDs: everything that Eclipse LMOS's have, our additions by name, and the form that the API server demands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lmos.resources.crds import crds, crds_yaml
from lmos.resources.kinds import KINDS

ORIGINAL: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "jvm_golden" / "crd_fields.json").read_text()
)
OURS: dict[str, dict[str, Any]] = {crd["metadata"]["name"]: crd for crd in crds()}

_CONDITIONS = [
    ".status.conditions",
    ".status.conditions[]",
    ".status.conditions[].lastTransitionTime",
    ".status.conditions[].message",
    ".status.conditions[].observedGeneration",
    ".status.conditions[].reason",
    ".status.conditions[].status",
    ".status.conditions[].type",
    ".status.observedGeneration",
]
_ROUTING_RULES = [
    ".spec.routingRules",
    ".spec.routingRules.allowedAgents",
    ".spec.routingRules.allowedAgents[]",
    ".spec.routingRules.deniedAgents",
    ".spec.routingRules.deniedAgents[]",
    ".spec.routingRules.rules",
    ".spec.routingRules.rules[]",
    ".spec.routingRules.rules[].agent",
    ".spec.routingRules.rules[].keywords",
    ".spec.routingRules.rules[].keywords[]",
    ".spec.routingRules.rules[].name",
    ".spec.routingRules.rules[].patterns",
    ".spec.routingRules.rules[].patterns[]",
]
ADDED_FIELDS = {
    "agents.lmos.eclipse": [
        ".spec.discover",
        ".spec.endpoint",
        ".spec.endpoint.protocol",
        ".spec.endpoint.url",
        *_CONDITIONS,
        ".status.discovered",
        ".status.discovered.description",
        ".status.discovered.id",
        ".status.discovered.providedCapabilities",
        ".status.discovered.providedCapabilities[]",
        ".status.discovered.providedCapabilities[].description",
        ".status.discovered.providedCapabilities[].examples",
        ".status.discovered.providedCapabilities[].examples[]",
        ".status.discovered.providedCapabilities[].id",
        ".status.discovered.providedCapabilities[].name",
        ".status.discovered.providedCapabilities[].version",
        ".status.discovered.supportedChannels",
        ".status.discovered.supportedChannels[]",
        ".status.discovered.supportedTenants",
        ".status.discovered.supportedTenants[]",
        ".status.source",
        ".status.source.digest",
        ".status.source.revision",
        ".status.source.url",
    ],
    "channels.lmos.eclipse": [
        *_ROUTING_RULES,
        *_CONDITIONS,
        ".status.nearMisses",
        ".status.nearMisses[]",
        ".status.nearMisses[].agent",
        ".status.nearMisses[].capability",
        ".status.nearMisses[].message",
        ".status.nearMisses[].providedVersion",
        ".status.nearMisses[].reason",
    ],
    "channelroutings.lmos.eclipse": [
        ".spec.capabilityGroups[].capabilities[].endpoint",
        ".spec.capabilityGroups[].capabilities[].endpoint.protocol",
        ".spec.capabilityGroups[].capabilities[].endpoint.url",
        ".spec.capabilityGroups[].capabilities[].examples",
        ".spec.capabilityGroups[].capabilities[].examples[]",
        *_ROUTING_RULES,
    ],
    "channelrollouts.lmos.eclipse": [],
}
ADDED_STATUS_SUBRESOURCE = {"agents.lmos.eclipse"}

every_crd = pytest.mark.parametrize("name", sorted(ORIGINAL))


def version(name: str) -> dict[str, Any]:
    (only,) = OURS[name]["spec"]["versions"]
    return only


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each field's path, as the recorded CRDs write it, with its schema."""
    yield path, schema
    for key, child in schema.get("properties", {}).items():
        yield from fields(child, f"{path}.{key}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


def all_fields(name: str) -> dict[str, dict[str, Any]]:
    return dict(fields(version(name)["schema"]["openAPIV3Schema"]))


# -- beside the original --------------------------------------------------------------------------------------------


@every_crd
def test_a_crd_has_the_names_of_the_original(name: str) -> None:
    ours = OURS[name]["spec"]
    for key, value in ORIGINAL[name]["names"].items():
        assert ours["names"][key] == value
    assert ours["scope"] == ORIGINAL[name]["scope"]
    assert [version(name)[key] for key in ("name", "served", "storage")] == ["v1", True, True]


@every_crd
def test_each_field_of_the_original_has_its_type_choices_and_required_list(name: str) -> None:
    ours = all_fields(name)
    for path, original in ORIGINAL[name]["fields"].items():
        got = {
            key: sorted(value) if key == "required" else value
            for key, value in ours[path].items()
            if key in ("type", "enum", "required")
        }
        assert got == original, path


@every_crd
def test_no_field_is_added_but_the_documented_ones(name: str) -> None:
    assert sorted(all_fields(name).keys() - ORIGINAL[name]["fields"].keys()) == sorted(ADDED_FIELDS[name])


@every_crd
def test_a_crd_has_the_printer_columns_of_the_original(name: str) -> None:
    ours = version(name)["additionalPrinterColumns"]
    assert [column for column in ORIGINAL[name]["printerColumns"] if column not in ours] == []


@every_crd
def test_a_crd_has_the_subresources_of_the_original_and_agents_a_status(name: str) -> None:
    added = name in ADDED_STATUS_SUBRESOURCE
    assert version(name).get("subresources") == ({"status": {}} if added else ORIGINAL[name]["subresources"])


# -- form -----------------------------------------------------------------------------------------------------------


@every_crd
def test_a_schema_is_structural(name: str) -> None:
    text = json.dumps(OURS[name])
    assert not re.search(r'"(\$ref|\$defs|anyOf|oneOf|allOf|title|default|const|additionalProperties)":', text)
    assert all("type" in schema for schema in all_fields(name).values())


@every_crd
def test_each_text_and_list_is_bounded(name: str) -> None:
    unbounded = [
        path
        for path, schema in all_fields(name).items()
        if (schema["type"] == "string" and not schema.keys() & {"maxLength", "enum"} and "pattern" not in schema)
        or (schema["type"] == "array" and "maxItems" not in schema)
    ]
    assert unbounded == []


@every_crd
def test_each_object_and_field_is_described(name: str) -> None:
    bare = {path for path, schema in all_fields(name).items() if not schema.get("description")}
    assert {path for path in bare if not path.endswith("[]")} <= {".status"}


def test_conditions_are_a_list_by_type() -> None:
    for name in ("agents.lmos.eclipse", "channels.lmos.eclipse"):
        conditions = all_fields(name)[".status.conditions"]
        assert conditions["x-kubernetes-list-type"] == "map"
        assert conditions["x-kubernetes-list-map-keys"] == ["type"]
        assert "type" in conditions["items"]["required"]


def test_the_columns_are_those_of_the_command_line_and_the_age() -> None:
    for kind in KINDS:
        columns = version(f"{kind.plural}.lmos.eclipse")["additionalPrinterColumns"]
        assert [column["name"] for column in columns] == [*(c.name for c in kind.columns), "AGE"]
        assert [column["priority"] for column in columns] == [*(int(c.wide) for c in kind.columns), 0]


def test_rules_stand_only_on_what_people_write() -> None:
    ruled = {
        (name, path): [rule["rule"] for rule in schema["x-kubernetes-validations"]]
        for name in OURS
        for path, schema in all_fields(name).items()
        if "x-kubernetes-validations" in schema
    }
    assert {key: len(rules) for key, rules in ruled.items()} == {
        ("agents.lmos.eclipse", ".spec"): 1,
        ("agents.lmos.eclipse", ".spec.endpoint"): 2,
        ("channels.lmos.eclipse", ".spec.routingRules.rules[]"): 1,
        ("channelrollouts.lmos.eclipse", ".spec.strategy.canary"): 2,
    }


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("http://agent", True),
        ("https://agent:9000/base/", True),
        ("WSS://agent/a@b", True),
        ("agent:9000", False),
        ("ftp://agent", False),
        ("http://", False),
        ("http://user@agent", False),
        ("http://agent?x=1", False),
        ("http://agent/#x", False),
        ("http://agent /", False),
    ],
)
def test_the_url_rule_agrees_with_what_the_loader_accepts(url: str, accepted: bool) -> None:
    rule = all_fields("agents.lmos.eclipse")[".spec.endpoint"]["x-kubernetes-validations"][1]["rule"]
    literal = re.search(r"matches\('(.*)'\)", rule)
    assert literal is not None
    assert (re.search(literal[1].replace(r"\\", "\\"), url) is not None) is accepted


def test_the_yaml_is_the_four_objects_without_aliases() -> None:
    text = crds_yaml()
    assert list(yaml.safe_load_all(text)) == crds()
    assert "&id" not in text


def test_a_caller_may_change_what_it_got() -> None:
    schema = crds()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["endpoint"]["x-kubernetes-validations"].clear()
    schema["properties"].clear()
    assert crds() == list(OURS.values())
