"""Helm installs, upgrades and uninstalls the chart on a whole cluster, whose pods kwok plays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from lmos.resources.kinds import KINDS
from tests.deploy.chart import CHART, NAMESPACE, RELEASE, Helm
from tools.testcluster import CONTROLLERS, Binaries, Cluster

pytestmark = pytest.mark.timeout(180)

_CRDS: Final = [f"crd/{kind.plural}.lmos.eclipse" for kind in KINDS]
# Among them one that binds claims to volumes.
_CONTROLLERS: Final = (
    "deployment-controller,replicaset-controller,disruption-controller,endpointslice-controller,namespace-controller,"
    "serviceaccount-controller,garbage-collector-controller,persistentvolume-binder-controller,"
    "persistentvolumeclaim-protection-controller"
)
_VOLUME: Final = """\
apiVersion: v1
kind: PersistentVolume
metadata: {name: turn-log}
spec:
  capacity: {storage: 8Gi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: /nowhere}
"""
_AGENT: Final = """\
apiVersion: lmos.eclipse/v1
kind: Agent
metadata: {name: billing, namespace: lmos}
spec:
  supportedChannels: [web]
  endpoint: {url: "http://billing:8080"}
  providedCapabilities: [{name: view-bill, version: 1.0.0}]
"""


@dataclass(frozen=True)
class Release:
    """The chart on a cluster."""

    helm: Helm
    cluster: Cluster

    def run(self, command: str, *words: str, values: Mapping[str, Any] | None = None) -> str:
        given = self.helm.values(values or {}) if values is not None else []
        options = ("--namespace", NAMESPACE, "--kubeconfig", str(self.cluster.kubeconfig()), "--timeout", "60s")
        return self.helm(command, RELEASE, *words, *given, *options, seconds=90.0)

    def install(self, values: Mapping[str, Any]) -> str:
        return self.run("install", str(CHART), "--create-namespace", "--wait", values=values)

    def ready(self, deployment: str) -> int:
        status = self.cluster.get("deployment", deployment, "-n", NAMESPACE)["status"]
        assert status["observedGeneration"] >= 1
        return status.get("readyReplicas", 0)


@pytest.fixture(scope="module")
def fresh_cluster(programs: Binaries) -> Iterator[Cluster]:
    """A cluster that knows nothing of LMOS, with a volume for the turn log."""
    with Cluster(binaries=programs, flags={CONTROLLERS: [f"--controllers={_CONTROLLERS}"]}) as cluster:
        cluster.apply(_VOLUME)
        yield cluster


@pytest.fixture
def release(helm: Helm, fresh_cluster: Cluster) -> Iterator[Release]:
    """Whatever a test has installed goes with it, also what Helm keeps."""
    release = Release(helm, fresh_cluster)
    yield release
    release.run("uninstall", "--ignore-not-found", "--wait")
    fresh_cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", seconds=60.0)
    fresh_cluster.kubectl("delete", *_CRDS, "--ignore-not-found")
    fresh_cluster.kubectl("patch", "pv/turn-log", "--type=merge", "-p", '{"spec": {"claimRef": null}}')


def test_an_installation_brings_the_kinds_and_becomes_ready(release: Release) -> None:
    said = release.install({})

    assert release.ready("lmos-operator") == 2
    assert release.ready("lmos-runtime") == 1
    assert (
        release.cluster.kubectl("get", "pvc/lmos-runtime", "-n", NAMESPACE, "-o", "jsonpath={.status.phase}") == "Bound"
    )
    release.cluster.kubectl("wait", *_CRDS, "--for=condition=Established", "--timeout=10s")
    assert "kubectl get agents,channels,channelroutings" in said
    assert "WARNING" not in said


def test_an_installation_meets_the_restricted_standard_when_it_is_enforced(release: Release) -> None:
    release.cluster.kubectl("create", "namespace", NAMESPACE)
    release.cluster.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")

    release.install({"operator": {"admission": {"mode": "deny"}}})

    assert release.ready("lmos-operator") == 2


def test_an_upgrade_rolls_the_pods_keeps_the_objects_and_says_what_to_do_about_the_kinds(release: Release) -> None:
    release.install({})
    release.cluster.apply(_AGENT)

    values = {"image": {"tag": "next"}, "operator": {"replicaCount": 3}}
    said = release.run("upgrade", str(CHART), "--wait", values=values)

    pods = release.cluster.get("pods", "-n", NAMESPACE, "--field-selector=status.phase=Running")["items"]
    assert {container["image"] for pod in pods for container in pod["spec"]["containers"]} == {"lmos:next"}
    assert release.ready("lmos-operator") == 3
    assert "agent.lmos.eclipse/billing" in release.cluster.kubectl("get", "agents", "-n", NAMESPACE, "-o", "name")
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
    release.cluster.apply(_AGENT)

    said = release.run("uninstall", "--wait")

    left = release.cluster.kubectl("get", "all,pvc,networkpolicies,roles,agents", "-n", NAMESPACE, "-o", "name")
    assert left.split() == ["persistentvolumeclaim/lmos-runtime", "agent.lmos.eclipse/billing"]
    assert "[PersistentVolumeClaim] lmos-runtime" in said
    everywhere = release.cluster.kubectl("get", "clusterroles,clusterrolebindings", "-o", "name")
    assert "lmos" not in everywhere


def test_an_upgrade_keeps_the_certificate_of_the_webhook(release: Release) -> None:
    values = {"operator": {"admission": {"mode": "warn"}}}
    release.install(values)
    before = _certificate(release)

    release.run("upgrade", str(CHART), values=values)

    assert _certificate(release) == before
    bundle = release.cluster.get("validatingwebhookconfiguration/lmos-lmos-operator")["webhooks"][0]["clientConfig"]
    assert bundle["caBundle"] == before["ca.crt"]


def test_the_turn_log_in_a_pod_is_warned_about(release: Release) -> None:
    said = release.install({"runtime": {"persistence": {"enabled": False}}})

    assert "WARNING: runtime.persistence.enabled is false" in said


def test_namespaces_that_are_to_be_watched_must_exist(release: Release) -> None:
    release.cluster.kubectl("create", "namespace", "acme")

    release.install({"operator": {"clientNamespaces": ["acme"]}})

    assert release.cluster.get("roles", "-n", "acme")["items"][0]["metadata"]["name"] == "lmos-lmos-operator"
    release.cluster.kubectl("delete", "namespace", "acme", "--wait=false")


def _certificate(release: Release) -> dict[str, str]:
    return release.cluster.get("secret/lmos-operator-admission", "-n", NAMESPACE)["data"]
