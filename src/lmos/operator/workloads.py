"""Deployments, Argo Rollouts and Services as discovery sees them: read-only models of the few fields that it needs.

The Agent controller reads them from caches; nobody writes them. What else a cluster says of them is dropped when they
are read, for there may be thousands. What their numbers mean is said here, once: `unready` and `unavailable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Final, Literal, cast

import orjson
from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from lmos.resources.base import Model, ObjectMeta, Resource

__all__ = [
    "ANNOTATION_PREFIX",
    "LABEL",
    "LABEL_VALUE",
    "Deployment",
    "PodTemplate",
    "Rollout",
    "RolloutSpec",
    "Service",
    "ServicePort",
    "ServiceSpec",
    "Workload",
    "WorkloadSpec",
    "WorkloadStatus",
]

LABEL: Final = "lmos-agent"
LABEL_VALUE: Final = "true"
"""A workload with this label and value is an agent."""

ANNOTATION_PREFIX: Final = "lmos.eclipse/"

_DEPLOYMENT_REVISION: Final = "deployment.kubernetes.io/revision"
_ROLLOUT_REVISION: Final = "rollout.argoproj.io/revision"
_META: Final = (
    *("name", "namespace", "uid", "labels", "generation"),
    *("resourceVersion", "creationTimestamp", "deletionTimestamp"),
)


def _reduced(value: Any) -> Any:
    """Metadata from the wire without what is large or of no use, as the manifest that kubectl keeps there."""
    if not isinstance(value, dict):
        return value
    meta = cast("dict[str, Any]", value)
    annotations: dict[str, str] = meta.get("annotations") or {}
    revisions = (_DEPLOYMENT_REVISION, _ROLLOUT_REVISION)
    kept = {key: text for key, text in annotations.items() if key.startswith(ANNOTATION_PREFIX) or key in revisions}
    return {key: meta[key] for key in _META if key in meta} | {"annotations": kept}


_Meta = Annotated[ObjectMeta, BeforeValidator(_reduced)]


class _Read(Model):
    model_config = ConfigDict(extra="ignore")


class PodTemplate(_Read):
    """The pods that a workload makes: their labels, and a digest of all that is declared of them."""

    labels: dict[str, str] = Field(default_factory=dict[str, str])
    digest: str

    @model_validator(mode="before")
    @classmethod
    def _of_wire(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "digest" in value:
            return cast("Any", value)
        template = cast("dict[str, Any]", value)
        meta = cast("dict[str, Any]", template.get("metadata") or {})
        labels = cast("dict[str, str]", meta.get("labels") or {})
        return {"labels": labels, "digest": sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).hexdigest()}


class WorkloadSpec(_Read):
    """What Deployments and Rollouts have in common."""

    replicas: int = 1
    template: PodTemplate | None = None


class WorkloadStatus(_Read):
    """How many pods there are; `observed_generation` is text in Rollouts."""

    observed_generation: int | str | None = None
    replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0


class Workload(Resource):
    """What runs an agent's pods."""

    REVISION: ClassVar[str]
    WATCH: ClassVar[str]
    """The command that shows how a new revision comes along."""

    metadata: _Meta
    spec: WorkloadSpec = Field(default_factory=WorkloadSpec)
    status: WorkloadStatus = Field(default_factory=WorkloadStatus)

    @property
    def title(self) -> str:
        """How messages name it: `Deployment 'billing'`."""
        return f"{self.KIND} {self.metadata.name!r}"

    @property
    def pod_labels(self) -> Mapping[str, str]:
        return self.spec.template.labels if self.spec.template is not None else {}

    @property
    def revision(self) -> str | None:
        """What the workload's controller counts."""
        return self.metadata.annotations.get(self.REVISION)

    @property
    def service_names(self) -> tuple[str, ...]:
        """The Services that clients of the pods that serve everybody should use, best first."""
        return (self.metadata.name,)

    @property
    def digest(self) -> str:
        """Differs when other pods are declared, or something else is told to the operator."""
        told = {k: v for k, v in self.metadata.annotations.items() if k.startswith(ANNOTATION_PREFIX)}
        declared = [self.spec.template.digest if self.spec.template is not None else None, told, self._restarted]
        return sha256(orjson.dumps(declared, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    @property
    def _restarted(self) -> str | None:
        return None

    def is_like(self, other: Workload) -> bool:
        """Whether nothing differs that discovery looks at."""
        return self == other.with_meta(resource_version=self.metadata.resource_version)

    def unavailable(self) -> str | None:
        """Why nobody can be asked, in words that do not change from pod to pod; `None` when somebody can."""
        if self.spec.replicas == 0:
            return f"{self.title} is scaled to 0"
        return None if self.status.available_replicas > 0 else f"no replica of {self.title} is available"

    def unready(self) -> str | None:
        """Why the pods that answer may not be those that are declared; `None` when all of them are."""
        wanted, status = self.spec.replicas, self.status
        seen = str(status.observed_generation) == str(self.metadata.generation)
        if seen and wanted == status.replicas == status.updated_replicas == status.available_replicas > 0:
            return None
        return (
            f"{self.title} is being rolled out: the agent is asked once its newest revision is available in all "
            f"replicas ({wanted}); see: {self.WATCH} {self.metadata.name} -n {self.metadata.namespace}"
        )


class Deployment(Workload):
    """A Kubernetes Deployment."""

    KIND: ClassVar[str] = "Deployment"
    REVISION: ClassVar[str] = _DEPLOYMENT_REVISION
    WATCH: ClassVar[str] = "kubectl rollout status deployment"

    api_version: str = Field(default="apps/v1", pattern="^apps/v1$")
    kind: Literal["Deployment"] = "Deployment"


class _BlueGreen(_Read):
    active_service: str | None = None


class _Canary(_Read):
    stable_service: str | None = None


class _Strategy(_Read):
    blue_green: _BlueGreen | None = None
    canary: _Canary | None = None


class RolloutSpec(WorkloadSpec):
    """What Argo adds; a Rollout with a `workload_ref` has no template of its own."""

    strategy: _Strategy = Field(default_factory=_Strategy)
    workload_ref: dict[str, Any] | None = None
    restart_at: str | None = None


class Rollout(Workload):
    """An Argo Rollout: a Deployment with canary and blue-green strategies."""

    KIND: ClassVar[str] = "Rollout"
    REVISION: ClassVar[str] = _ROLLOUT_REVISION
    WATCH: ClassVar[str] = "kubectl argo rollouts status"

    api_version: str = Field(default="argoproj.io/v1alpha1", pattern="^argoproj\\.io/v1alpha1$")
    kind: Literal["Rollout"] = "Rollout"
    spec: RolloutSpec = Field(default_factory=RolloutSpec)  # pyright: ignore[reportIncompatibleVariableOverride] - frozen

    @property
    def service_names(self) -> tuple[str, ...]:
        blue_green, canary = self.spec.strategy.blue_green, self.spec.strategy.canary
        named = (blue_green and blue_green.active_service, canary and canary.stable_service, self.metadata.name)
        return tuple(name for name in named if name)

    @property
    def _restarted(self) -> str | None:
        return self.spec.restart_at


class ServicePort(_Read):
    """One port of a Service."""

    name: str = ""
    port: int
    protocol: str = "TCP"
    app_protocol: str | None = None


class ServiceSpec(_Read):
    """Which pods the Service is in front of, and on which ports."""

    selector: dict[str, str] = Field(default_factory=dict[str, str])
    ports: tuple[ServicePort, ...] = ()


class Service(Resource):
    """A Kubernetes Service."""

    KIND: ClassVar[str] = "Service"

    api_version: str = Field(default="v1", pattern="^v1$")
    kind: Literal["Service"] = "Service"
    metadata: _Meta
    spec: ServiceSpec = Field(default_factory=ServiceSpec)
