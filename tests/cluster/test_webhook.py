"""The admission webhook of `lmos operator` on a real API server: what kubectl users see of it."""
# ruff: noqa: E501 - snapshots are as wide as what they show

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from lmos.resources.crds import crds_yaml
from tests.cluster.guarded import guarding
from tests.cluster.operators import OperatorProcess, agent_manifest, channel_manifest
from tests.cluster.plugin import Kubectl, StartCluster
from tools.testcluster import WHOLE, Access, KubectlFailed

AGENT, CHANNEL = agent_manifest("billing", "bill"), channel_manifest("web", "bill")
NEXT = AGENT.replace("version: 1.0.0", "version: 0.9.0")
BAD = AGENT.replace("version: 1.0.0", "version: one")

Guard = Callable[..., OperatorProcess]


@pytest.fixture
def guard(api_server: Access, namespace: str, tmp_path: Path) -> Generator[Guard]:
    """Starts an operator that is asked about the test's namespace: `guard("deny")`."""
    with ExitStack() as stack:

        def start(mode: str, *, policy: str = "Fail") -> OperatorProcess:
            return stack.enter_context(guarding(api_server, namespace, tmp_path, mode, policy=policy))

        yield start


@pytest.fixture
def denied(guard: Guard, kubectl: Kubectl) -> Guard:
    """A resolved channel, whose operator denies."""
    guard("deny")
    _resolve(kubectl)
    return guard


def _resolve(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=f"{AGENT}---\n{CHANNEL}")
    kubectl("wait", "channel/web", "--for=condition=Resolved", "--timeout=20s")


def _refusal(kubectl: Kubectl, *words: str, stdin: str | None = None) -> str:
    """What kubectl says when it is refused."""
    with pytest.raises(KubectlFailed) as refused:
        kubectl(*words, stdin=stdin)
    return str(refused.value).partition("\n")[2]


def _warnings(cluster: Access, namespace: str, *words: str, stdin: str = "") -> list[str]:
    """What kubectl says on stderr when it succeeds."""
    done = subprocess.run(
        [str(cluster.kubectl_program), "--kubeconfig", str(cluster.kubeconfig()), "-n", namespace, *words],
        input=stdin,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return done.stderr.splitlines()


@pytest.mark.usefixtures("denied")
def test_deleting_the_only_agent_of_a_channel_is_denied_with_reason_and_fix(kubectl: Kubectl) -> None:
    assert _refusal(kubectl, "delete", "agent", "billing") == snapshot("""\
Error from server (Forbidden): admission webhook "plan.lmos.eclipse" denied the request: 1 resolved channel would become unresolved:
  web: no agent provides 'bill' in any version (NotProvided)
  fix: change what these channels require first, or annotate Agent billing with lmos.eclipse/allow-unresolved: "true"\
""")
    assert kubectl("get", "agents", "-o", "name") == "agent.lmos.eclipse/billing\n"


@pytest.mark.usefixtures("denied")
def test_a_version_that_no_channel_can_use_is_denied_in_a_dry_run_too(kubectl: Kubectl) -> None:
    words = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    assert "would become unresolved" in _refusal(kubectl, *words, "--dry-run=server", stdin=NEXT)
    assert "would become unresolved" in _refusal(kubectl, *words, stdin=NEXT)


@pytest.mark.usefixtures("denied")
def test_a_channel_that_asks_for_more_than_it_can_have_is_denied(kubectl: Kubectl) -> None:
    patch = '{"spec": {"requiredCapabilities": [{"name": "bill", "version": "^7"}]}}'
    said = _refusal(kubectl, "patch", "channel", "web", "--type=merge", "--patch", patch)
    assert "web: no agent provides 'bill' '^7' to this channel" in said


@pytest.mark.usefixtures("denied")
def test_a_bad_value_is_denied_with_field_and_fix(kubectl: Kubectl) -> None:
    assert _refusal(kubectl, "apply", "-f", "-", stdin=BAD) == snapshot(
        "The Agent \"billing\" is invalid: spec.providedCapabilities[0].version: version 'one' is not a semantic version; write major.minor.patch, as in '1.0.0' or '2.1.0-rc.1'"
    )


@pytest.mark.usefixtures("denied")
def test_an_annotation_allows_what_would_be_denied(kubectl: Kubectl) -> None:
    kubectl("annotate", "agent", "billing", "lmos.eclipse/allow-unresolved=true")
    kubectl("delete", "agent", "billing")
    kubectl("wait", "channel/web", "--for=condition=Resolved=false", "--timeout=10s")


@pytest.mark.usefixtures("denied")
def test_channels_may_always_go(kubectl: Kubectl) -> None:
    kubectl("delete", "channel", "web")
    kubectl("delete", "agent", "billing")


@pytest.mark.usefixtures("denied")
def test_labels_of_an_agent_may_change(kubectl: Kubectl) -> None:
    kubectl("label", "agent", "billing", "team=a")


def test_a_warning_is_shown_where_warning_is_the_mode(
    guard: Guard, api_server: Access, namespace: str, kubectl: Kubectl
) -> None:
    guard("warn")
    assert _warnings(api_server, namespace, "apply", "-f", "-", stdin=CHANNEL) == snapshot(
        ["Warning: channel web is unresolved: no agent provides 'bill' in any version (NotProvided)"]
    )
    _resolve(kubectl)
    assert _warnings(api_server, namespace, "delete", "agent", "billing") == snapshot(
        ["Warning: channel web becomes unresolved: no agent provides 'bill' in any version (NotProvided)"]
    )
    assert _warnings(api_server, namespace, "apply", "-f", "-", stdin=BAD) == snapshot(
        [
            "Warning: spec.providedCapabilities[0].version: version 'one' is not a semantic version; write major.minor.patch, as in '1.0.0' or '2.1.0-rc.1'"
        ]
    )


def test_the_failure_policy_decides_while_the_operator_is_away(guard: Guard, kubectl: Kubectl) -> None:
    operator = guard("deny", policy="Fail")
    operator.stop()
    assert "failed calling webhook" in _refusal(kubectl, "apply", "-f", "-", stdin=AGENT)


def test_a_policy_that_ignores_lets_changes_pass_while_the_operator_is_away(guard: Guard, kubectl: Kubectl) -> None:
    operator = guard("deny", policy="Ignore")
    operator.stop()
    kubectl("apply", "-f", "-", stdin=BAD)


def test_the_operators_own_writes_pass(guard: Guard, kubectl: Kubectl, namespace: str) -> None:
    """Nobody told the webhook its ServiceAccount: it has asked the API server."""
    guard("deny")
    _resolve(kubectl)
    kubectl("delete", "agent", "billing", f"--as=system:serviceaccount:{namespace}:operator")
    kubectl("wait", "channel/web", "--for=condition=Resolved=false", "--timeout=10s")


@pytest.mark.timeout(120)
def test_namespaces_and_owned_objects_go_though_they_are_guarded(new_cluster: StartCluster, tmp_path: Path) -> None:
    cluster = new_cluster(parts=WHOLE, crds=[crds_yaml()])
    cluster.kubectl("create", "namespace", "guarded")
    with guarding(cluster, "guarded", tmp_path, "deny"):

        def kubectl(*words: str, role: str = "admin", stdin: str | None = None) -> str:
            return cluster.kubectl("-n", "guarded", *words, role=role, stdin=stdin)

        kubectl("create", "configmap", "owner")
        uid = kubectl("get", "configmap", "owner", "-o", "jsonpath={.metadata.uid}")
        owner = f"ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: owner, uid: {uid}}}]"
        owned = AGENT.replace("{name: billing}", f"{{name: billing, {owner}}}")
        kubectl("apply", "-f", "-", stdin=f"{owned}---\n{CHANNEL}")
        kubectl("wait", "channel/web", "--for=condition=Resolved", "--timeout=20s")
        kubectl("delete", "configmap", "owner")
        kubectl("wait", "agent/billing", "--for=delete", "--timeout=40s")
        kubectl("apply", "-f", "-", stdin=AGENT)
        kubectl("wait", "channel/web", "--for=condition=Resolved", "--timeout=20s")
        cluster.kubectl("delete", "namespace", "guarded", "--timeout=25s")
