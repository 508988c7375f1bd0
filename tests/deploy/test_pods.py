"""Operator and runtime do all their work with exactly the rights and settings that the chart gives them.

They run as processes with the environment of the chart's containers, the operator with a token of its ServiceAccount,
on an API server that also asks whether it may block the deletion of owners.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from lmos.testing import FakeArcAgent
from tests.deploy.agent import agent_serving
from tests.deploy.chart import Helm, Manifests
from tests.deploy.granting import Account, granting
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
_CHANNEL_AND_AGENT: Final = """\
apiVersion: lmos.eclipse/v1
kind: Channel
metadata: {{name: web, labels: {{tenant: acme, channel: web, version: 1.0.0, subset: stable}}}}
spec: {{requiredCapabilities: [{{name: bill, version: ^1.0.0}}]}}
---
apiVersion: lmos.eclipse/v1
kind: Agent
metadata: {{name: billing}}
spec:
  supportedChannels: [web]
  endpoint: {{url: "{url}"}}
  providedCapabilities: [{{name: bill, version: 1.0.0, description: Shows a bill, examples: ["How much is my bill?"]}}]
"""
_QUESTION: Final[dict[str, Any]] = {
    "inputContext": {"messages": [{"role": "user", "content": "How much is my bill?"}]},
    "systemContext": {"channelId": "web", "contextParams": []},
    "userContext": {"userId": "1", "contextParams": []},
}


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
) -> Iterator[Callable[..., Release]]:
    """Grants the rights of a release with some values, and ends the pods that were started of it."""
    with ExitStack() as pods, granting(helm, strict_cluster, make_namespace) as grant:

        def granted(values: Mapping[str, Any]) -> Release:
            account = grant(values)
            return Release(account, helm.render(values, namespace=account.namespace), tmp_path, pods)

        yield granted


@dataclass(frozen=True)
class Release:
    """A release whose rights are granted. Its pods are ready when they are given."""

    account: Account
    manifests: Manifests
    folder: Path
    pods: ExitStack

    def operator(self, agents: Mapping[str, str] | None = None) -> Pod:
        """`agents` says where host names of Services answer."""
        hosts = ",".join(f"{name}={address}" for name, address in (agents or {}).items())
        return self._start("lmos-operator", LMOS_KUBECONFIG=str(self.account.kubeconfig), LMOS_SERVICE_HOSTS=hosts)

    def runtime(self, operator: Pod) -> Pod:
        return self._start("lmos-runtime", LMOS_OPERATOR_URL=operator.url, LMOS_DATA=str(self.folder / "data"))

    def _start(self, deployment: str, **settings: str) -> Pod:
        pod = self.pods.enter_context(Pod(self.manifests, deployment, self.folder, settings))
        pod.until_ready()
        return pod


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

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl("-n", self.namespace, *words, stdin=stdin)

    def until_channel(self, status: str) -> None:
        self.kubectl("wait", "channel/web", f"--for=jsonpath={{.status.resolveStatus}}={status}", "--timeout=25s")


@pytest.mark.parametrize("watched", ["all namespaces", "one namespace"])
def test_an_operator_with_the_charts_rights_does_all_its_work(
    work: Work, release: Callable[..., Release], watched: str
) -> None:
    with agent_serving(bill="1.0.0") as agent:
        operator: dict[str, Any] = {"clientNamespaces": [] if watched == "all namespaces" else [work.namespace]}
        pod = release({"operator": operator}).operator({work.host: agent})
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


def test_rollouts_are_agents_with_the_rights_of_argo_support(work: Work, release: Callable[..., Release]) -> None:
    with agent_serving(bill="1.0.0") as agent:
        pod = release({"operator": {"argoRolloutSupport": {"enabled": True}}}).operator({work.host: agent})
        work.begin("Rollout")
        # No controller of Argo's is here.
        status = '{"status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}}'
        work.kubectl("patch", "rollout/billing", "--subresource=status", "--type=merge", "-p", status)

        work.kubectl("wait", "--for=create", "agent/billing", "--timeout=25s")
    assert pod.process.stop() == 0
    assert _refusals(pod.log) == []


def test_an_operator_without_discovery_needs_no_rights_for_it(work: Work, release: Callable[..., Release]) -> None:
    pod = release({"operator": {"discovery": {"enabled": False}}}).operator()
    work.begin()

    work.until_channel("UNRESOLVED")

    assert work.kubectl("get", "agents", "-o", "name") == ""
    assert pod.process.stop() == 0
    assert _refusals(pod.log) == []


def test_the_lease_is_given_back_at_the_end(strict_cluster: Cluster, release: Callable[..., Release]) -> None:
    granted = release({})
    pod = granted.operator()
    lease = ("lease/lmos-operator", "-n", granted.account.namespace)
    assert strict_cluster.get(*lease)["spec"]["holderIdentity"]

    assert pod.process.stop() == 0

    assert not strict_cluster.get(*lease)["spec"].get("holderIdentity")


@pytest.mark.anyio
async def test_a_turn_is_answered_by_the_runtime_of_the_release(work: Work, release: Callable[..., Release]) -> None:
    async with FakeArcAgent(default="It is 42 euros.") as agent:
        granted = release({"runtime": {"namespace": work.namespace}})
        operator = granted.operator()
        await asyncio.to_thread(work.kubectl, "apply", "-f", "-", stdin=_CHANNEL_AND_AGENT.format(url=agent.url))
        await asyncio.to_thread(work.until_channel, "RESOLVED")
        runtime = granted.runtime(operator)

        async with httpx2.AsyncClient(base_url=runtime.url) as client:
            answer = await client.post(
                "/apis/v1/acme/chat/1/message", json=_QUESTION, headers={"x-turn-id": "1", "x-subset": "stable"}
            )

        assert (answer.status_code, answer.json()["content"]) == (200, "It is 42 euros.")
        assert runtime.process.stop() == 0


@pytest.mark.parametrize("right", ["events", "channels/finalizers", "channelroutings", "channels/status"])
def test_a_right_that_is_missing_would_be_noticed(
    strict_cluster: Cluster, work: Work, release: Callable[..., Release], right: str
) -> None:
    pod = release({}).operator()
    roles = strict_cluster.kubectl("get", "clusterroles", "-o", "name", "-l", "app.kubernetes.io/component=operator")
    (role,) = [name for name in roles.split() if name.endswith("-lmos-operator")]
    rules = [rule for rule in strict_cluster.get(role)["rules"] if rule["resources"] != [right]]
    strict_cluster.kubectl("patch", role, "--type=merge", "-p", json.dumps({"rules": rules}))

    work.begin()

    pod.process.until(lambda: _refusals(pod.log) != [], "a refusal in the log")


def _refusals(log: str) -> list[str]:
    """Lines that tell of a right that was missing."""
    return [line for line in log.splitlines() if re.search(r"\b403\b|forbidden", line, re.IGNORECASE)]
