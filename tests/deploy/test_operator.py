"""The operator does all its work with exactly the rights and settings that the chart gives it.

`lmos operator` runs as a process with the environment of the chart's container and a token of its ServiceAccount, on an
API server that also asks whether it may block the deletion of owners.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.agent import agent_serving
from tests.deploy.chart import Helm
from tests.deploy.granting import granting
from tests.deploy.pod import Pod
from tools.testcluster import API, Binaries, Cluster, definitions

pytestmark = pytest.mark.timeout(120)

_NUMBERS: Final = count()
_ENFORCED: Final = {API: ["--enable-admission-plugins=OwnerReferencesPermissionEnforcement"]}
_SOURCES: Final = """\
apiVersion: lmos.eclipse/v1
kind: Channel
metadata: {{name: web, labels: {{tenant: acme, channel: web, version: 1.0.0, subset: stable}}}}
spec: {{requiredCapabilities: [{{name: bill, version: ^1.0.0}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: billing}}
spec: {{selector: {{app: billing}}, ports: [{{port: 8080}}]}}
---
apiVersion: {api}
kind: {kind}
metadata: {{name: billing, labels: {{lmos-agent: "true"}}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: billing}}}}
  template:
    metadata: {{labels: {{app: billing}}}}
    spec: {{containers: [{{name: agent, image: "billing:1"}}]}}
"""


@pytest.fixture(scope="module")
def strict_cluster(programs: Binaries) -> Iterator[Cluster]:
    with Cluster(binaries=programs, crds=definitions(programs.data), flags=_ENFORCED) as cluster:
        yield cluster


@pytest.fixture
def make_namespace(strict_cluster: Cluster) -> Callable[[], str]:
    def make() -> str:
        name = f"work-{next(_NUMBERS)}"
        strict_cluster.kubectl("create", "namespace", name)
        return name

    return make


@pytest.fixture
def work(strict_cluster: Cluster, make_namespace: Callable[[], str]) -> Work:
    return Work(strict_cluster, make_namespace())


@pytest.fixture
def release(
    helm: Helm, strict_cluster: Cluster, make_namespace: Callable[[], str], tmp_path: Path
) -> Iterator[Callable[..., Pod]]:
    """Starts the operator of a release with some values, and waits until it is ready."""
    with ExitStack() as pods, granting(helm, strict_cluster, make_namespace) as grant:

        def start(values: Mapping[str, Any], agents: Mapping[str, str]) -> Pod:
            account = grant(values)
            manifests = helm.render(values, namespace=account.namespace)
            hosts = ",".join(f"{name}={address}" for name, address in agents.items())
            settings = {"LMOS_KUBECONFIG": str(account.kubeconfig), "LMOS_SERVICE_HOSTS": hosts}
            pod = pods.enter_context(Pod(manifests, "lmos-operator", tmp_path, settings))
            pod.until_ready()
            return pod

        yield start


@dataclass(frozen=True)
class Work:
    """A namespace with a Channel, and a Deployment that is to be found as the Agent that serves it."""

    cluster: Cluster
    namespace: str

    @property
    def host(self) -> str:
        return f"billing.{self.namespace}.svc.cluster.local"

    def begin(self, kind: str = "Deployment") -> None:
        api = "apps/v1" if kind == "Deployment" else "argoproj.io/v1alpha1"
        self.cluster.apply(_SOURCES.format(kind=kind, api=api), "-n", self.namespace)

    def kubectl(self, *words: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, *words)

    def until_channel(self, status: str) -> None:
        self.kubectl("wait", "channel/web", f"--for=jsonpath={{.status.resolveStatus}}={status}", "--timeout=25s")


@pytest.mark.parametrize("watched", ["all namespaces", "one namespace"])
def test_an_operator_with_the_charts_rights_does_all_its_work(
    work: Work, release: Callable[..., Pod], watched: str
) -> None:
    with agent_serving(bill="1.0.0") as agent:
        operator: dict[str, Any] = {"clientNamespaces": [] if watched == "all namespaces" else [work.namespace]}
        pod = release({"operator": operator}, {work.host: agent})
        work.begin()

        work.until_channel("RESOLVED")
        work.kubectl("wait", "agent/billing", "--for=condition=Ready", "--timeout=25s")
        routing = work.cluster.get("channelrouting/web", "-n", work.namespace)
        (owner,) = routing["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["controller"], owner["blockOwnerDeletion"]) == ("Channel", True, True)
        work.kubectl("wait", "--for=create", "events.events.k8s.io", "--all", "--timeout=25s")

        work.kubectl("delete", "deployment/billing")
        work.until_channel("UNRESOLVED")
        work.kubectl("wait", "agent/billing", "--for=delete", "--timeout=25s")
    assert pod.process.stop() == 0
    assert _refusals(pod.log) == []


def test_rollouts_are_agents_with_the_rights_of_argo_support(work: Work, release: Callable[..., Pod]) -> None:
    with agent_serving(bill="1.0.0") as agent:
        pod = release({"operator": {"argoRolloutSupport": {"enabled": True}}}, {work.host: agent})
        work.begin("Rollout")
        # No controller of Argo's is here.
        status = '{"status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}}'
        work.kubectl("patch", "rollout/billing", "--subresource=status", "--type=merge", "-p", status)

        work.kubectl("wait", "--for=create", "agent/billing", "--timeout=25s")
    assert pod.process.stop() == 0
    assert _refusals(pod.log) == []


def test_an_operator_without_discovery_needs_no_rights_for_it(work: Work, release: Callable[..., Pod]) -> None:
    pod = release({"operator": {"discovery": {"enabled": False}}}, {})
    work.begin()

    work.until_channel("UNRESOLVED")

    assert work.kubectl("get", "agents", "-o", "name") == ""
    assert pod.process.stop() == 0
    assert _refusals(pod.log) == []


def test_the_lease_is_given_back_at_the_end(strict_cluster: Cluster, release: Callable[..., Pod]) -> None:
    pod = release({}, {})
    namespaces = strict_cluster.get("leases", "-A", "--field-selector=metadata.name=lmos-operator")["items"]
    held = [lease for lease in namespaces if lease["spec"].get("holderIdentity")]
    assert len(held) == 1

    assert pod.process.stop() == 0

    lease = strict_cluster.get("lease/lmos-operator", "-n", held[0]["metadata"]["namespace"])
    assert not lease["spec"].get("holderIdentity")


@pytest.mark.parametrize("right", ["events", "channels/finalizers", "channelroutings", "channels/status"])
def test_a_right_that_is_missing_would_be_noticed(
    strict_cluster: Cluster, work: Work, release: Callable[..., Pod], right: str
) -> None:
    pod = release({}, {})
    roles = strict_cluster.kubectl("get", "clusterroles", "-o", "name", "-l", "app.kubernetes.io/component=operator")
    (role,) = [name for name in roles.split() if name.endswith("-lmos-operator")]
    rules = [rule for rule in strict_cluster.get(role)["rules"] if rule["resources"] != [right]]
    strict_cluster.kubectl("patch", role, "--type=merge", "-p", json.dumps({"rules": rules}))

    work.begin()

    pod.process.until(lambda: _refusals(pod.log) != [], "a refusal in the log")


def _refusals(log: str) -> list[str]:
    """Lines that tell of a right that was missing."""
    return [line for line in log.splitlines() if re.search(r"\b403\b|forbidden", line, re.IGNORECASE)]
