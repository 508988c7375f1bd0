"""Where the kinds that the operator works with live in the Kubernetes API, and which models read them.

`KubernetesStore` looks kinds up here. Ours come from `resources.kinds`; of the foreign ones, which are only read, the
server is asked for none but those with a fixed label.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from lmos.operator.base import ALL_NAMESPACES, StoreError
from lmos.operator.workloads import LABEL, LABEL_VALUE, Deployment, Rollout, Service
from lmos.resources.base import GROUP, Resource
from lmos.resources.kinds import KINDS, kind_named

__all__ = ["ApiResource", "api_resource"]


@dataclass(frozen=True, slots=True)
class ApiResource:
    """One resource of the API. `group` is empty for the core; `selector` is a label selector that always holds."""

    kind: str
    group: str
    version: str
    plural: str
    model: type[Resource]
    has_status: bool = False
    writable: bool = False
    selector: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """As kubectl takes it: `agents.lmos.eclipse`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str, name: str | None = None, subresource: str | None = None) -> str:
        """The path of the collection, of an object in it, or of an object's subresource. Raises `StoreError`."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        scope = "" if namespace == ALL_NAMESPACES else f"/namespaces/{_segment(namespace)}"
        tail = "" if name is None else f"/{_segment(name)}"
        if subresource is not None:
            tail += f"/{subresource}"
        return f"{root}{scope}/{self.plural}{tail}"


_OURS = {
    kind.kind: ApiResource(kind.kind, GROUP, "v1", kind.plural, kind.model, has_status=kind.has_status, writable=True)
    for kind in KINDS
}

_PLAIN: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def _segment(name: str) -> str:
    """`name` as part of a path: never another path, whatever it is."""
    if _PLAIN.fullmatch(name):
        return name
    if name in ("", ".", ".."):
        raise StoreError(f"{name!r} is no name of a namespace or an object; write one")
    return quote(name, safe="")


_AGENTS = {LABEL: LABEL_VALUE}
_FOREIGN = {
    resource.kind: resource
    for resource in (
        ApiResource("Deployment", "apps", "v1", "deployments", Deployment, selector=_AGENTS),
        ApiResource("Rollout", "argoproj.io", "v1alpha1", "rollouts", Rollout, selector=_AGENTS),
        ApiResource("Service", "", "v1", "services", Service),
    )
}


def api_resource(kind: str) -> ApiResource:
    """The resource of a kind, by any name of ours or the kind of a foreign one. Raises `StoreError`."""
    if (foreign := _FOREIGN.get(kind)) is not None:
        return foreign
    try:
        return _OURS[kind_named(kind).kind]
    except KeyError as error:
        raise StoreError(str(error.args[0])) from error
