"""Which Service leads to a workload's agent, and at which url it answers. Pure.

The rules are those of Eclipse LMOS, with two additions: of several Services the one that is named for it is taken, and
what Argo Rollouts writes into the selectors of its Services does not hide them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lmos.operator import reasons
from lmos.operator.discovery.base import Undiscovered
from lmos.operator.workloads import Service, ServicePort, Workload

__all__ = ["address_of", "anchor", "selects"]

# Argo adds it to the selectors of a Rollout's Services, and to pods, but not to their template.
_POD_HASH: Final = "rollouts-pod-template-hash"
_SCHEMES: Final = ("http", "https")
_HTTPS_PORT: Final = 443
_SHOWN: Final = 8


def address_of(workload: Workload, services: Iterable[Service]) -> str:
    """The base url of the workload's agent, with its port, behind one of the Services of its namespace.

    Raises `Undiscovered` where none, or none of several, leads to it.
    """
    service = _service(workload, services)
    port = _port(service.spec.ports)
    if port is None:
        raise Undiscovered(
            reasons.SERVICE_WITHOUT_PORT,
            f"Service {service.metadata.name!r} has no TCP port; add the one on which the agent speaks HTTP",
        )
    secure = "https" in (port.app_protocol, port.name) or port.port == _HTTPS_PORT
    host = f"{service.metadata.name}.{service.metadata.namespace}.svc.cluster.local"
    return f"{'https' if secure else 'http'}://{host}:{port.port}"


def selects(service: Service, labels: Mapping[str, str]) -> bool:
    """Whether the Service is in front of pods with these labels; one without a selector is in front of none."""
    wanted = _wanted(service)
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def anchor(service: Service) -> tuple[str, str] | None:
    """One label that all pods behind the Service have, to find them by; `None` where there are none."""
    return min(_wanted(service).items(), default=None)


def _wanted(service: Service) -> dict[str, str]:
    return {key: value for key, value in service.spec.selector.items() if key != _POD_HASH}


def _service(workload: Workload, services: Iterable[Service]) -> Service:
    found = {s.metadata.name: s for s in services if selects(s, workload.pod_labels)}
    if len(found) == 1:
        return next(iter(found.values()))
    for name in workload.service_names:
        if name in found:
            return found[name]
    name = workload.metadata.name
    if found:
        named = ", ".join(sorted(found)[:_SHOWN])
        raise Undiscovered(
            reasons.SERVICE_AMBIGUOUS,
            f"the Services {named} all lead to {workload.title}; name one of them {name!r}, or narrow the selectors of "
            "the others",
        )
    labels = ", ".join(f"{key}={value}" for key, value in sorted(workload.pod_labels.items())[:_SHOWN]) or "none"
    raise Undiscovered(
        reasons.SERVICE_MISSING,
        f"no Service leads to the pods of {workload.title}; create one whose selector is contained in their labels "
        f"({labels})",
    )


def _port(ports: Sequence[ServicePort]) -> ServicePort | None:
    """The only one declared as http(s), else the only one named so, else the first."""
    usable = [port for port in ports if port.protocol == "TCP"]
    for candidates in (
        [port for port in usable if port.app_protocol in _SCHEMES],
        [port for port in usable if port.name in _SCHEMES],
    ):
        if len(candidates) == 1:
            return candidates[0]
    return usable[0] if usable else None
