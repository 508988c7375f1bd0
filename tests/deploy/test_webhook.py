"""The webhook that the chart sets up is asked about the right writes, on a real API server.

The operator runs beside the cluster, so the configuration names its address where the chart names the Service; all the
rest is of the chart.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from lmos.operator.guard import CONTROLLERS
from lmos.testing.processes import free_port
from tests.deploy.chart import Helm
from tests.deploy.granting import Grant
from tests.deploy.pod import Pod
from tools.testcluster import Access, KubectlFailed

_CHANNEL = """\
apiVersion: lmos.eclipse/v1
kind: Channel
metadata: {name: web, labels: {tenant: acme, channel: web, version: 1.0.0, subset: stable}}
spec: {requiredCapabilities: [{name: bill, version: ^1.0.0}]}
"""
_AGENT = """\
apiVersion: lmos.eclipse/v1
kind: Agent
metadata: {name: billing}
spec:
  supportedChannels: [web]
  endpoint: {url: "http://127.0.0.1:9"}
  providedCapabilities: [{name: bill, version: 1.0.0}]
"""


@dataclass(frozen=True)
class Watched:
    """A namespace about whose writes the operator of a release is asked."""

    cluster: Access
    namespace: str
    own_namespace: str
    operator: Pod

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl("-n", self.namespace, *words, stdin=stdin)

    def resolve(self) -> None:
        """Apply a channel and its agent."""
        self.kubectl("apply", "-f", "-", stdin=f"{_AGENT}---\n{_CHANNEL}")
        self.kubectl("wait", "channel/web", "--for=condition=Resolved", "--timeout=20s")


@pytest.fixture
def watch(
    helm: Helm, cluster: Access, grant: Grant, new_namespace: Callable[[], str], tmp_path: Path
) -> Iterator[Callable[..., Watched]]:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    key, chain = tmp_path / "tls.key", tmp_path / "tls.crt"
    certificate.private_key_pem.write_to_path(key)
    certificate.cert_chain_pems[0].write_to_path(chain)
    bundle = base64.b64encode(authority.cert_pem.bytes()).decode()
    with ExitStack() as stack:

        def start(mode: str, policy: str = "Ignore") -> Watched:
            namespace, port = new_namespace(), free_port()
            admission = {"mode": mode, "failurePolicy": policy}
            admission |= {"certificate": {"existingSecret": "mine", "caBundle": bundle}}
            values: dict[str, Any] = {"operator": {"admission": admission}}
            account = grant(values)
            manifests = helm.render(values, namespace=account.namespace)
            settings = {"LMOS_KUBECONFIG": str(account.kubeconfig), "LMOS_ADMISSION_PORT": str(port)}
            settings |= {"LMOS_ADMISSION_CERT": str(chain), "LMOS_ADMISSION_KEY": str(key)}
            operator = stack.enter_context(Pod(manifests, "lmos-operator", tmp_path, settings))
            operator.until_ready()
            (configuration,) = manifests.of("ValidatingWebhookConfiguration")
            text = yaml.safe_dump(_beside(configuration, port, [namespace, account.namespace]))
            cluster.apply(text)
            stack.callback(cluster.kubectl, "delete", "-f", "-", stdin=text)
            return Watched(cluster, namespace, account.namespace, operator)

        yield start


def _beside(configuration: dict[str, Any], port: int, namespaces: list[str]) -> dict[str, Any]:
    """The chart's configuration for an operator on a port of this machine; namespaces of other tests are left alone."""
    (webhook,) = configuration["webhooks"]
    service = webhook["clientConfig"].pop("service")
    webhook["clientConfig"]["url"] = f"https://127.0.0.1:{port}{service['path']}"
    ours = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces}
    webhook["namespaceSelector"]["matchExpressions"].append(ours)
    return configuration


def test_a_change_that_would_leave_a_channel_without_agent_is_refused(watch: Callable[..., Watched]) -> None:
    watched = watch("deny")
    watched.resolve()

    with pytest.raises(KubectlFailed, match="would become unresolved"):
        watched.kubectl("delete", "agent", "billing")

    assert watched.kubectl("get", "agents", "-o", "name") == "agent.lmos.eclipse/billing\n"


def test_the_namespace_of_the_release_is_left_alone(watch: Callable[..., Watched]) -> None:
    watched = watch("deny", "Fail")
    watched.operator.process.stop()

    watched.cluster.kubectl("-n", watched.own_namespace, "apply", "-f", "-", stdin=_AGENT)

    with pytest.raises(KubectlFailed, match="failed calling webhook"):
        watched.kubectl("apply", "-f", "-", stdin=_AGENT)


def test_by_default_changes_pass_while_no_operator_answers(watch: Callable[..., Watched]) -> None:
    watched = watch("deny")
    watched.operator.process.stop()

    assert watched.kubectl("apply", "-f", "-", stdin=_AGENT) == "agent.lmos.eclipse/billing created\n"


@pytest.mark.parametrize("answers", [True, False], ids=["asked", "away"])
def test_a_namespace_can_go_with_all_that_is_in_it(watch: Callable[..., Watched], *, answers: bool) -> None:
    watched = watch("deny", "Fail")
    watched.resolve()
    if not answers:
        watched.operator.process.stop()

    watched.kubectl("delete", "namespace", watched.namespace, "--timeout=25s")


def test_the_api_server_need_not_ask_about_whom_the_operator_lets_pass(helm: Helm) -> None:
    admission = {"mode": "deny", "certificate": {"existingSecret": "mine", "caBundle": "Qg=="}}
    manifests = helm.render({"operator": {"admission": admission}})

    (configuration,) = manifests.of("ValidatingWebhookConfiguration")
    (condition,) = [
        condition["expression"]
        for condition in configuration["webhooks"][0]["matchConditions"]
        if condition["name"] == "not-kubernetes-itself"
    ]
    assert set(re.findall("'(.*?)'", condition)) == CONTROLLERS
