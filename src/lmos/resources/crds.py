"""The CustomResourceDefinitions of the four kinds, made of the same models that read manifests and the wire.

`lmos crds` prints them, the Kubernetes store expects them installed. Field names, types, enums and required lists are
those that Eclipse LMOS generates; bounds, descriptions, rules and the documented fields are additions. There are no
defaults, as in the original: a default would change what other writers of these objects read back.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import yaml

from lmos.resources.base import GROUP
from lmos.resources.kinds import KINDS, Kind
from lmos.resources.schema import Schema, schema_at, schema_of

__all__ = ["crds", "crds_yaml"]

_VERSION = "v1"

_ENDPOINT_RULES = [
    {
        "rule": "has(self.protocol) && self.protocol == 'local' ? !has(self.url) : has(self.url)",
        "message": "arc and a2a agents need a url, a local agent has none",
    },
    {
        "rule": r"!has(self.url) || self.url.matches('(?i)^(https?|wss?)://[^/?#@\\s]+(/[^?#\\s]*)?$')",
        "message": "url must begin with http://, https://, ws:// or wss://, without credentials, query or fragment",
    },
]

_DISCOVER_RULES = [
    {
        "rule": "!has(self.discover) || !self.discover || (has(self.endpoint) && has(self.endpoint.url))",
        "message": "discover needs an endpoint with a url to ask",
    },
]

_WEIGHT = "(has(self.{0}) && has(self.{0}.weight) ? self.{0}.weight : 0)"
_NAME = "(has(self.{0}) && has(self.{0}.name) ? self.{0}.name : '')"

_CANARY_RULES = [
    {
        "rule": f"{_WEIGHT.format('canaryChannel')} + {_WEIGHT.format('stableChannel')} <= 100",
        "message": "the weights must not add up to more than 100",
    },
    {
        "rule": f"{_NAME.format('canaryChannel')} == '' "
        f"|| {_NAME.format('canaryChannel')} != {_NAME.format('stableChannel')}",
        "message": "canaryChannel and stableChannel must be two Channels",
    },
]

_RULE_RULES = [
    {
        "rule": "(has(self.keywords) && size(self.keywords) > 0) || (has(self.patterns) && size(self.patterns) > 0)",
        "message": "give the rule keywords or patterns",
    },
]

# Only on what people write. A ChannelRouting may hold a million endpoints: rules there would exceed the API server's
# budget, and its one writer is the operator.
_RULES: dict[str, dict[tuple[str | int, ...], list[dict[str, str]]]] = {
    "Agent": {("spec",): _DISCOVER_RULES, ("spec", "endpoint"): _ENDPOINT_RULES},
    "Channel": {("spec", "routingRules", "rules", 0): _RULE_RULES},
    "ChannelRollout": {("spec", "strategy", "canary"): _CANARY_RULES},
}


def crds() -> list[dict[str, Any]]:
    """The four `apiextensions.k8s.io/v1` objects as JSON data."""
    return [_crd(kind) for kind in KINDS]


def crds_yaml() -> str:
    """All CRDs as YAML documents, ready for `kubectl apply -f -`."""
    return yaml.dump_all(crds(), Dumper=_Dumper, sort_keys=False, width=120, explicit_start=True)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Equal lists are written out: an alias in a CRD reads as an oddity."""
        return True


def _crd(kind: Kind) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": _VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _schema(kind)},
        "additionalPrinterColumns": _columns(kind),
    }
    if kind.has_status:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short],
                "categories": ["lmos"],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _columns(kind: Kind) -> list[dict[str, Any]]:
    columns = [
        {"name": c.name, "type": c.type, "jsonPath": c.path, "priority": 1 if c.wide else 0} for c in kind.columns
    ]
    return [*columns, {"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp", "priority": 0}]


def _schema(kind: Kind) -> Schema:
    """Spec and status. The API server knows apiVersion, kind and metadata itself."""
    model = deepcopy(schema_of(kind.model))
    # The original declares a status for every kind, even where nobody writes one.
    properties = {"spec": model["properties"]["spec"], "status": model["properties"].get("status", {"type": "object"})}
    schema: Schema = {"description": model["description"], "type": "object", "properties": properties}
    for path, rules in _RULES.get(kind.kind, {}).items():
        schema_at(schema, path)["x-kubernetes-validations"] = deepcopy(rules)
    if conditions := schema_at(schema, ("status", "conditions")):
        conditions |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    _widen_integers(schema)
    return schema


def _widen_integers(schema: Schema) -> None:
    """Generations are 64 bits wide; without a format, clients generated from the CRD may take 32."""
    if schema.get("type") == "integer":
        schema["format"] = "int64"
    for child in (*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])):
        _widen_integers(child)
