"""What a workload's numbers and metadata mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lmos.operator.workloads import Workload
from tests.operator.discovery.builders import deployment, rollout


@pytest.mark.parametrize(
    ("workload", "unready", "unavailable"),
    [
        pytest.param(deployment(replicas=3), False, False, id="all"),
        pytest.param(deployment(replicas=3, status={"availableReplicas": 2}), True, False, id="one not available"),
        pytest.param(deployment(replicas=3, status={"updatedReplicas": 2}), True, False, id="one not updated"),
        pytest.param(deployment(replicas=3, status={"replicas": 4}), True, False, id="an old one left"),
        pytest.param(deployment(replicas=3, status={"observedGeneration": 0}), True, False, id="not seen yet"),
        pytest.param(deployment(replicas=3, status={"availableReplicas": 0}), True, True, id="none available"),
        pytest.param(deployment(replicas=0), True, True, id="scaled to nothing"),
        pytest.param(rollout(replicas=2), False, False, id="Argo writes generations as text"),
        pytest.param(rollout(replicas=2, status={"observedGeneration": "0"}), True, False, id="Argo has not seen it"),
    ],
)
def test_a_workload_is_ready_when_all_its_replicas_run_what_is_declared(
    workload: Workload, unready: bool, unavailable: bool
) -> None:
    assert (workload.unready() is not None, workload.unavailable() is not None) == (unready, unavailable)


def test_the_reason_does_not_change_from_pod_to_pod() -> None:
    messages = {deployment(replicas=5, status={"availableReplicas": n}).unready() for n in range(5)}
    assert len(messages) == 1


BEFORE = deployment(annotations={"lmos.eclipse/channels": "web", "note": "a"})


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        pytest.param({"image": "billing:2"}, True, id="pods"),
        pytest.param({"annotations": {"lmos.eclipse/channels": "ivr", "note": "a"}}, True, id="told otherwise"),
        pytest.param({"annotations": {"lmos.eclipse/channels": "web", "note": "b"}}, False, id="other annotations"),
        pytest.param({"replicas": 7}, False, id="replicas"),
        pytest.param({"revision": "2"}, False, id="revision, which is compared by itself"),
    ],
)
def test_the_digest_differs_with_the_pods_and_with_what_is_told_to_the_operator(
    changed: Mapping[str, Any], differs: bool
) -> None:
    options: dict[str, Any] = {"annotations": {"lmos.eclipse/channels": "web", "note": "a"}, **changed}
    other = deployment(**options)
    assert (other.digest != BEFORE.digest) is differs


def test_the_digest_of_a_rollout_differs_when_it_is_restarted() -> None:
    assert rollout().digest != rollout(spec={"restartAt": "2026-11-20T10:00:00Z"}).digest


def test_only_what_discovery_looks_at_is_kept() -> None:
    read = deployment(annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}"})
    assert read.metadata.annotations == {"deployment.kubernetes.io/revision": "1"}
    assert read.metadata.managed_fields == ()
    assert read.revision == "1"


def test_a_change_that_discovery_does_not_look_at_leaves_a_workload_as_it_was() -> None:
    read = BEFORE.with_meta(resource_version="1")
    assert read.is_like(BEFORE.with_meta(resource_version="2"))
    assert not read.is_like(deployment(annotations={"lmos.eclipse/channels": "web"}, status={"availableReplicas": 0}))


def test_a_rollout_may_take_its_pods_from_a_deployment() -> None:
    read = rollout(spec={"template": None, "workloadRef": {"kind": "Deployment", "name": "billing"}})
    assert read.spec.template is None
    assert read.pod_labels == {}
