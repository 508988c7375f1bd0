"""Workloads and Services as the API server sends them, in one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lmos.operator.workloads import Deployment, Rollout, Service, Workload

__all__ = ["deployment", "rollout", "service"]


def _workload(
    model: type[Workload],
    name: str,
    *,
    labels: Mapping[str, str],
    replicas: int,
    status: Mapping[str, Any] | None,
    revision: str | None,
    annotations: Mapping[str, str],
    image: str,
    spec: Mapping[str, Any],
) -> Any:
    told = dict(annotations) | ({model.REVISION: revision} if revision is not None else {})
    ready = {
        "observedGeneration": 1,
        "replicas": replicas,
        "updatedReplicas": replicas,
        "availableReplicas": replicas,
    }
    pods = {"metadata": {"labels": dict(labels)}, "spec": {"containers": [{"name": "agent", "image": image}]}}
    return model.model_validate(
        {
            "apiVersion": model.model_fields["api_version"].default,
            "kind": model.KIND,
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": f"uid-of-{model.KIND.lower()}-{name}",
                "generation": 1,
                "labels": {"lmos-agent": "true"},
                "annotations": told,
                "managedFields": [{"manager": "kubectl"}],
            },
            "spec": {"replicas": replicas, "template": pods, **spec},
            "status": ready if status is None else {**ready, **status},
        }
    )


def deployment(
    name: str = "billing",
    *,
    labels: Mapping[str, str] = {"app": "billing"},
    replicas: int = 1,
    status: Mapping[str, Any] | None = None,
    revision: str | None = "1",
    annotations: Mapping[str, str] = {},
    image: str = "billing:1",
) -> Deployment:
    """A Deployment that is an agent; `status` changes what is ready of it."""
    return _workload(
        Deployment,
        name,
        labels=labels,
        replicas=replicas,
        status=status,
        revision=revision,
        annotations=annotations,
        image=image,
        spec={},
    )


def rollout(
    name: str = "billing",
    *,
    labels: Mapping[str, str] = {"app": "billing"},
    replicas: int = 1,
    status: Mapping[str, Any] | None = None,
    revision: str | None = "1",
    image: str = "billing:1",
    spec: Mapping[str, Any] | None = None,
) -> Rollout:
    """An Argo Rollout that is an agent; `spec` is put over its own."""
    return _workload(
        Rollout,
        name,
        labels=labels,
        replicas=replicas,
        status={"observedGeneration": "1", **(status or {})},
        revision=revision,
        annotations={},
        image=image,
        spec=spec or {},
    )


def service(
    name: str = "billing",
    *ports: Mapping[str, Any],
    selector: Mapping[str, str] | None = {"app": "billing"},
    namespace: str = "default",
) -> Service:
    """A Service on port 8080 unless other ports are given."""
    wanted: Sequence[Mapping[str, Any]] = ports or ({"port": 8080},)
    spec: dict[str, Any] = {"ports": [{"protocol": "TCP", **port} for port in wanted]}
    if selector is not None:
        spec["selector"] = dict(selector)
    return Service.model_validate(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    )
