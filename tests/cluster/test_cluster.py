"""The whole cluster that the session shares does what tests of other rooms rely on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cluster.plugin import Kubectl
from tools.testcluster import Access, KubectlFailed

CHANNEL = """\
apiVersion: lmos.eclipse/v1
kind: Channel
metadata: {name: web}
spec: {requiredCapabilities: [{name: billing, version: "1.0.0"}]}
"""

OWNED = """\
apiVersion: lmos.eclipse/v1
kind: ChannelRouting
metadata:
  name: web
  ownerReferences:
    - {apiVersion: lmos.eclipse/v1, kind: Channel, name: web, uid: UID, controller: true, blockOwnerDeletion: true}
spec: {capabilityGroups: []}
"""

ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: billing}
spec:
  selector: {matchLabels: {app: billing}}
  template:
    metadata: {labels: {app: billing}}
    spec: {containers: [{name: agent, image: agent}]}
"""


def test_a_deployment_becomes_available(cluster: Access, kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=web", "--replicas=2")

    kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=20s")

    assert kubectl("get", "deployment/web", "-o", "jsonpath={.status.readyReplicas}") == "2"


def test_a_job_completes(cluster: Access, kubectl: Kubectl) -> None:
    kubectl("create", "job", "once", "--image=once")

    kubectl("wait", "job/once", "--for=condition=Complete", "--timeout=20s")


def test_a_deleted_namespace_goes_with_what_is_in_it(cluster: Access, kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-f", "-", stdin=CHANNEL)

    kubectl("delete", "namespace", namespace, "--timeout=40s")

    with pytest.raises(KubectlFailed, match="NotFound"):
        kubectl("get", "namespace", namespace)


def test_what_an_object_owns_is_collected_with_it(cluster: Access, kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=CHANNEL)
    uid = kubectl("get", "channel/web", "-o", "jsonpath={.metadata.uid}")
    kubectl("apply", "-f", "-", stdin=OWNED.replace("UID", uid))

    kubectl("delete", "channel/web")

    kubectl("wait", "channelrouting/web", "--for=delete", "--timeout=20s")


def test_argo_rollouts_are_stored(cluster: Access, kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=ROLLOUT)

    assert kubectl("get", "rollouts", "-o", "name") == "rollout.argoproj.io/billing\n"


def test_an_unknown_field_is_refused_by_strict_validation(cluster: Access, kubectl: Kubectl) -> None:
    with pytest.raises(KubectlFailed, match=r'unknown field "spec\.colour"'):
        kubectl(
            "apply",
            "--validate=strict",
            "--dry-run=server",
            "-f",
            "-",
            stdin=CHANNEL.replace("{req", "{colour: 1, req"),
        )


def test_every_namespace_is_another(new_namespace: Callable[[], str], namespace: str) -> None:
    assert len({namespace, new_namespace(), new_namespace()}) == 3


@pytest.mark.parametrize("role", ["operator", "runtime", "nobody"])
def test_a_role_may_do_nothing_until_it_is_granted(cluster: Access, namespace: str, role: str) -> None:
    with pytest.raises(KubectlFailed, match="Forbidden"):
        cluster.kubectl("get", "agents", "-n", namespace, role=role)


def test_a_role_may_do_what_a_binding_of_its_service_account_grants(cluster: Access, kubectl: Kubectl) -> None:
    kubectl("create", "role", "reader", "--verb=get", "--resource=agents.lmos.eclipse")
    kubectl("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=lmos:lmos-operator")

    assert kubectl("auth", "can-i", "get", "agents.lmos.eclipse", role="operator") == "yes\n"
    with pytest.raises(KubectlFailed, match="no"):
        kubectl("auth", "can-i", "delete", "agents.lmos.eclipse", role="operator")


def test_a_service_account_of_the_tests_own_gets_a_kubeconfig(
    cluster: Access, kubectl: Kubectl, namespace: str
) -> None:
    kubeconfig = cluster.service_account(namespace, "reader")

    user = kubectl("auth", "whoami", f"--kubeconfig={kubeconfig}", "-o", "jsonpath={.status.userInfo.username}")

    assert user == f"system:serviceaccount:{namespace}:reader"
