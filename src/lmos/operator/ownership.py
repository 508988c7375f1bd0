"""Which Agent belongs to which workload, and what of it is the workload's. Pure.

The Agent controller writes what is said here. Agents that people wrote, or tools for them, stay theirs.
"""

from __future__ import annotations

from typing import Final

from lmos.operator import reasons
from lmos.operator.workloads import LABEL, LABEL_VALUE, Deployment, Rollout, Workload
from lmos.resources.agent import Agent, AgentSpec
from lmos.resources.base import ObjectMeta, OwnerReference

__all__ = [
    "MANAGED_BY",
    "absent_labels",
    "agent_of",
    "controller_of",
    "is_adoptable",
    "is_as_wanted",
    "is_managed",
    "is_of",
    "taken",
]

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
_SUBSET: Final = "subset"
_API_VERSIONS: Final = {Deployment.KIND: "apps/v1", Rollout.KIND: "argoproj.io/v1alpha1"}


def controller_of(agent: Agent) -> OwnerReference | None:
    """The one owner that decides over the Agent, if it has one."""
    return next((owner for owner in agent.metadata.owner_references if owner.controller), None)


def is_managed(agent: Agent) -> bool:
    """Whether the operator has made the Agent for a workload."""
    owner = controller_of(agent)
    return (
        owner is not None
        and _API_VERSIONS.get(owner.kind) == owner.api_version
        and agent.metadata.labels.get(MANAGED_BY) == reasons.FIELD_MANAGER
    )


def is_adoptable(agent: Agent) -> bool:
    """Whether a workload of its name may take the Agent over: the JVM operator leaves such Agents behind.

    One that Helm or another tool manages is what people declared, whatever its labels.
    """
    labels = agent.metadata.labels
    return (
        controller_of(agent) is None
        and labels.get(LABEL) == LABEL_VALUE
        and labels.get(MANAGED_BY) in (None, reasons.FIELD_MANAGER)
    )


def is_of(owner: OwnerReference, workload: Workload) -> bool:
    """Whether `owner` names the workload, or one of its name before it."""
    return (owner.api_version, owner.kind, owner.name) == (workload.api_version, workload.KIND, workload.metadata.name)


def agent_of(workload: Workload, spec: AgentSpec) -> Agent:
    """The Agent of `workload` with `spec`: it has the workload's name and subset, and goes with it."""
    meta = workload.metadata
    labels = {LABEL: LABEL_VALUE, MANAGED_BY: reasons.FIELD_MANAGER}
    if _SUBSET in meta.labels:
        labels[_SUBSET] = meta.labels[_SUBSET]
    owner = OwnerReference(
        api_version=workload.api_version,
        kind=workload.KIND,
        name=meta.name,
        uid=str(meta.uid),
        controller=True,
        block_owner_deletion=True,
    )
    return Agent(
        metadata=ObjectMeta(name=meta.name, namespace=meta.namespace, labels=labels, owner_references=(owner,)),
        spec=spec,
    )


def is_as_wanted(agent: Agent, wanted: Agent) -> bool:
    """Whether what the operator writes is in `agent` as in `wanted`; other labels and owners are not its own."""
    labels = agent.metadata.labels
    return (
        agent.spec == wanted.spec
        and labels.get(_SUBSET) == wanted.metadata.labels.get(_SUBSET)
        and all(labels.get(key) == value for key, value in wanted.metadata.labels.items())
        and all(owner in agent.metadata.owner_references for owner in wanted.metadata.owner_references)
    )


def absent_labels(wanted: Agent) -> tuple[str, ...]:
    """Labels that people must not add to the Agent of a workload: it is in the workload's subset."""
    return () if _SUBSET in wanted.metadata.labels else (_SUBSET,)


def taken(workload: Workload) -> str:
    """Why the workload gets no Agent, and what to do."""
    name = workload.metadata.name
    return (
        f"{workload.title} is an agent by its label {LABEL}={LABEL_VALUE}, but the Agent {name!r} is not its own; "
        f"rename one of them, delete the Agent, or have it taken over: give it the label {LABEL}={LABEL_VALUE} and no "
        f"label {MANAGED_BY}"
    )
