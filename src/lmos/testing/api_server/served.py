"""The resources that the simulated API server knows: how they are called, and how their fields are merged.

Ours with the schemas of their CRDs; of foreign ones a few, without schemas: all that they contain is taken as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from lmos.resources.base import GROUP, Resource
from lmos.resources.crds import crds
from lmos.resources.kinds import KINDS
from lmos.resources.schema import Schema

__all__ = ["RESOURCES", "Served"]

_STRINGS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}
_METADATA: Final[Schema] = {
    "properties": {
        "labels": _STRINGS,
        "annotations": _STRINGS,
        "finalizers": {"type": "array", "x-kubernetes-list-type": "set"},
        "ownerReferences": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
            "items": {"x-kubernetes-map-type": "atomic"},
        },
    }
}


@dataclass(frozen=True, slots=True)
class Served:
    """One resource. `group` is empty for the core; `model` checks what is written, where there is one."""

    kind: str
    group: str
    version: str
    plural: str
    schema: Schema
    model: type[Resource] | None = None
    namespaced: bool = True
    has_status: bool = False
    """As a subresource: writes of the object leave it alone."""
    has_generation: bool = False
    has_bare_spec: bool = False
    """Whether an object that nobody has written yet has an empty spec, as those of built-in kinds."""
    strict: bool = False
    """Whether fields that the schema does not declare are refused, or dropped."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As messages name it: `agents.lmos.eclipse`."""
        return self.named(self.plural)

    @property
    def root(self) -> str:
        """The path of its group and version."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    def named(self, name: str) -> str:
        """`name` with the group."""
        return f"{name}.{self.group}" if self.group else name


def _ours() -> list[Served]:
    found: list[Served] = []
    for kind, crd in zip(KINDS, crds(), strict=True):
        (version,) = crd["spec"]["versions"]
        schema: Schema = version["schema"]["openAPIV3Schema"]
        schema = schema | {"properties": schema["properties"] | {"metadata": _METADATA}}
        if not kind.has_status:
            # Without the subresource a status is a field as others are.
            schema["properties"]["status"] = {"type": "object"}
        found.append(
            Served(
                kind.kind,
                GROUP,
                "v1",
                kind.plural,
                schema,
                model=kind.model,
                has_status=kind.has_status,
                has_generation=True,
                strict=True,
            )
        )
    return found


def _foreign() -> list[Served]:
    conditions: Schema = {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {},
    }
    plain: Schema = {"properties": {"metadata": _METADATA}}
    deployed: Schema = {"properties": {"metadata": _METADATA, "status": {"properties": {"conditions": conditions}}}}
    deployment = Served(
        "Deployment", "apps", "v1", "deployments", deployed, has_status=True, has_generation=True, has_bare_spec=True
    )
    return [
        deployment,
        replace(
            deployment,
            kind="Rollout",
            group="argoproj.io",
            version="v1alpha1",
            plural="rollouts",
            schema=plain,
            has_bare_spec=False,
        ),
        Served("Service", "", "v1", "services", plain, has_status=True, has_bare_spec=True),
        Served("Lease", "coordination.k8s.io", "v1", "leases", plain, has_bare_spec=True),
        Served("Event", "events.k8s.io", "v1", "events", plain),
        Served("Namespace", "", "v1", "namespaces", plain, namespaced=False, has_status=True),
    ]


RESOURCES: Final[tuple[Served, ...]] = (*_ours(), *_foreign())
