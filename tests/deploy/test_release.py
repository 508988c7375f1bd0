"""Helm installs, upgrades and uninstalls the chart on a whole cluster, whose pods kwok plays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import pytest

from lmos.resources.kinds import KINDS
from tests.deploy.chart import CHART, RELEASE, Helm, HelmFailed
from tools.testcluster import Cluster

pytestmark = pytest.mark.timeout(90)

_NUMBERS: Final = count()
_CRDS: Final = [f"crd/{kind.plural}.lmos.eclipse" for kind in KINDS]
_AGENT: Final = """\
apiVersion: lmos.eclipse/v1
kind: Agent
metadata: {name: billing}
spec:
  supportedChannels: [web]
  endpoint: {url: "http://billing:8080"}
  providedCapabilities: [{name: view-bill, version: 1.0.0}]
"""


@dataclass(frozen=True)
class Release:
    """The chart in a namespace of a cluster."""

    helm: Helm
    cluster: Cluster
    namespace: str

    def run(self, command: str, *words: str, values: Mapping[str, Any] | None = None) -> str:
        given = [] if values is None else self.helm.values(values)
        options = ("--namespace", self.namespace, "--kubeconfig", str(self.cluster.kubeconfig()), "--timeout", "60s")
        return self.helm(command, RELEASE, *words, *given, *options, seconds=90.0)

    def install(self, values: Mapping[str, Any]) -> str:
        return self.run("install", str(CHART), "--create-namespace", "--wait", values=values)

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl("--namespace", self.namespace, *words, stdin=stdin)

    def get(self, *words: str) -> Any:
        return self.cluster.get("--namespace", self.namespace, *words)

    def ready(self, deployment: str) -> int:
        return self.get("deployment", deployment)["status"].get("readyReplicas", 0)


@pytest.fixture
def release(helm: Helm, fresh_cluster: Cluster) -> Iterator[Release]:
    """In a namespace of its own; what a test has installed goes after it, which nobody waits for."""
    release = Release(helm, fresh_cluster, f"lmos-{next(_NUMBERS)}")
    yield release
    release.run("uninstall", "--ignore-not-found")
    fresh_cluster.kubectl("delete", "namespace", release.namespace, "--ignore-not-found", "--wait=false")


def test_an_installation_brings_the_kinds_and_becomes_ready(release: Release) -> None:
    said = release.install({})

    assert release.ready("lmos-operator") == 2
    assert release.ready("lmos-runtime") == 1
    assert release.kubectl("get", "pvc/lmos-runtime", "-o", "jsonpath={.status.phase}") == "Bound"
    release.cluster.kubectl("wait", *_CRDS, "--for=condition=Established", "--timeout=10s")
    assert "kubectl get agents,channels,channelroutings" in said
    assert "WARNING" not in said


def test_an_installation_meets_the_restricted_standard_when_it_is_enforced(release: Release) -> None:
    release.kubectl("create", "namespace", release.namespace)
    release.kubectl("label", "namespace", release.namespace, "pod-security.kubernetes.io/enforce=restricted")

    release.install({"operator": {"admission": {"mode": "deny"}}})

    assert release.ready("lmos-operator") == 2


def test_an_upgrade_rolls_the_pods_keeps_the_objects_and_says_what_to_do_about_the_kinds(release: Release) -> None:
    release.install({})
    release.kubectl("apply", "-f", "-", stdin=_AGENT)

    values = {"image": {"tag": "next"}, "operator": {"replicaCount": 3}}
    said = release.run("upgrade", str(CHART), "--wait", values=values)

    pods = release.get("pods", "--field-selector=status.phase=Running")["items"]
    assert {container["image"] for pod in pods for container in pod["spec"]["containers"]} == {"lmos:next"}
    assert release.ready("lmos-operator") == 3
    assert "agent.lmos.eclipse/billing" in release.kubectl("get", "agents", "-o", "name")
    assert "helm show crds" in said


def test_a_rollback_brings_the_former_state_back(release: Release) -> None:
    release.install({})
    release.run("upgrade", str(CHART), "--wait", values={"operator": {"replicaCount": 3}})

    release.run("rollback", "1", "--wait")

    assert release.ready("lmos-operator") == 2


def test_the_crds_can_be_upgraded_as_the_readme_says(release: Release) -> None:
    release.install({})
    crds = release.helm("show", "crds", str(CHART))

    said = release.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=crds)

    assert said.count("serverside-applied") == len(KINDS)


def test_an_uninstallation_leaves_the_objects_of_people_and_the_turn_log(release: Release) -> None:
    release.install({})
    release.kubectl("apply", "-f", "-", stdin=_AGENT)

    said = release.run("uninstall", "--wait")

    left = release.kubectl("get", "all,pvc,networkpolicies,roles,agents", "-o", "name")
    assert left.split() == ["persistentvolumeclaim/lmos-runtime", "agent.lmos.eclipse/billing"]
    assert "[PersistentVolumeClaim] lmos-runtime" in said
    everywhere = release.cluster.kubectl("get", "clusterroles,clusterrolebindings", "-o", "name")
    assert release.namespace not in everywhere


def test_an_upgrade_keeps_the_certificate_of_the_webhook(release: Release) -> None:
    values = {"operator": {"admission": {"mode": "warn"}}}
    release.install(values)
    before = _certificate(release)

    release.run("upgrade", str(CHART), values=values)

    assert _certificate(release) == before
    bundle = release.cluster.get("validatingwebhookconfiguration", f"{release.namespace}-lmos-operator")["webhooks"][0][
        "clientConfig"
    ]
    assert bundle["caBundle"] == before["ca.crt"]


def test_the_turn_log_in_a_pod_is_warned_about(release: Release) -> None:
    said = release.install({"runtime": {"persistence": {"enabled": False}}})

    assert "WARNING: runtime.persistence.enabled is false" in said


def test_namespaces_that_are_to_be_watched_must_exist(release: Release) -> None:
    values = {"operator": {"clientNamespaces": ["acme"]}}
    with pytest.raises(HelmFailed, match='namespaces "acme" not found'):
        release.install(values)

    release.kubectl("create", "namespace", "acme")
    release.run("upgrade", str(CHART), "--wait", values=values)

    (role,) = release.cluster.get("roles", "-n", "acme")["items"]
    assert role["metadata"]["name"] == f"{release.namespace}-lmos-operator"


def _certificate(release: Release) -> dict[str, str]:
    return release.get("secret/lmos-operator-admission")["data"]
