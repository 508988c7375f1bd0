"""The whole test cluster, as the tests of other rooms use it."""

from __future__ import annotations

from tests.cluster.plugin import Kubectl
from tools.testcluster import Access


def test_a_deployment_becomes_available(cluster: Access, kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=web", "--replicas=2")

    kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=20s")

    assert kubectl("get", "deployment/web", "-o", "jsonpath={.status.readyReplicas}") == "2"
