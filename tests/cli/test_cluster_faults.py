"""What commands say when a cluster cannot do what they ask, or has something to say of its own."""
# ruff: noqa: E501 - snapshots are as wide as what they show

from __future__ import annotations

import json

import pytest
from inline_snapshot import snapshot

from lmos.operator.kubernetes.transport import Answer
from lmos.testing.api_server import Request
from tests.cli.conftest import Lmos, Outcome
from tests.cli.served import ServedCluster, answered


def test_what_the_server_refuses_is_told_with_the_fields(lmos: Lmos, cluster: ServedCluster) -> None:
    causes = [{"reason": "FieldValueInvalid", "message": 'Invalid value: "x": must be y', "field": "spec.id"}]

    def refuse(request: Request) -> Answer | None:
        if request.method != "PATCH" or not request.path.endswith("/billing"):
            return None
        body = {
            "reason": "Invalid",
            "message": 'Agent "billing" is invalid: spec.id: ...',
            "details": {"causes": causes},
        }
        return answered(422, body)

    cluster.script = refuse
    outcome = lmos("apply", "-f", "manifests.yaml", "--cluster")
    assert (outcome.code, outcome.err) == snapshot(
        (
            1,
            """\
error: manifests.yaml:1: agent/billing (namespace default): the API server refuses it:
    spec.id: Invalid value: "x": must be y
  fix: correct the object
""",
        )
    )
    assert len(outcome.out.splitlines()) == 3


def test_a_webhooks_denial_is_passed_on_in_its_own_words(applied_there: Lmos, cluster: ServedCluster) -> None:
    said = 'admission webhook "plan.lmos.eclipse" denied the request: 1 resolved channel would become unresolved:\n  web: why'

    def deny(request: Request) -> Answer | None:
        return answered(403, {"reason": "Forbidden", "message": said}) if request.method == "DELETE" else None

    cluster.script = deny
    outcome = applied_there("delete", "agent", "billing", "--cluster")
    assert (outcome.code, outcome.out, outcome.err) == snapshot(
        (
            1,
            "",
            """\
error: agent/billing (namespace default): admission webhook "plan.lmos.eclipse" denied the request: 1 resolved channel would become unresolved:
    web: why
""",
        )
    )


def test_warnings_of_the_server_are_shown_once(applied_there: Lmos, cluster: ServedCluster) -> None:
    def warn(request: Request) -> Answer | None:
        found = cluster.server.answer(request)
        return answered(found.status, json.loads(found.body), ["v1 is old", 'say \\"v2\\"', "v1 is old"])

    cluster.script = warn
    outcome = applied_there("get", "agent", "billing", "contract", "--cluster", "-o", "name")
    assert outcome.err == snapshot("""\
warning: v1 is old
warning: say "v2"
""")


def test_a_namespace_that_does_not_exist_is_named(lmos: Lmos, cluster: ServedCluster) -> None:
    outcome = lmos("apply", "-f", "manifests.yaml", "--cluster", "-n", "nowhere")
    assert (outcome.code, outcome.err.splitlines()[:2]) == snapshot(
        (
            1,
            [
                'error: manifests.yaml:1: agent/billing (namespace nowhere): namespaces "nowhere" not found',
                "  fix: create it: kubectl create namespace nowhere",
            ],
        )
    )


def test_missing_definitions_are_told_with_the_command_that_installs_them(lmos: Lmos, cluster: ServedCluster) -> None:
    cluster.portal.call(cluster.server.withdraw, "channels")
    assert lmos("get", "channels", "--cluster") == snapshot(
        Outcome(
            code=1,
            out="",
            err="""\
error: the cluster has no CustomResourceDefinitions of LMOS
  fix: install them: lmos crds | kubectl apply --server-side -f -
""",
        )
    )
    assert lmos("get", "channels", "--context", "staging").err == snapshot("""\
error: the cluster of context 'staging' has no CustomResourceDefinitions of LMOS
  fix: install them: lmos crds | kubectl --context staging apply --server-side -f -
""")


def test_a_missing_right_is_named(lmos: Lmos, cluster: ServedCluster) -> None:
    cluster.portal.call(cluster.server.deny, "*", "channels")
    assert lmos("get", "channels", "--cluster") == snapshot(
        Outcome(
            code=1,
            out="",
            err="""\
error: channels.lmos.eclipse is forbidden: User "admin" cannot list resource "channels" in API group "lmos.eclipse" in the namespace "default"
  fix: grant the verb 'list' on 'channels' of the API group 'lmos.eclipse' in the user's ClusterRole or Role
""",
        )
    )


def test_credentials_that_the_server_does_not_know_are_told(lmos: Lmos, cluster: ServedCluster) -> None:
    cluster.script = lambda _: answered(401, {"message": "Unauthorized", "reason": "Unauthorized"})
    outcome = lmos("get", "channels", "--cluster")
    assert (outcome.code, outcome.err.splitlines()[-1]) == snapshot(
        (1, "  fix: renew those of the kubeconfig's user, or mount the ServiceAccount's token")
    )


def test_a_server_that_is_away_is_told(lmos: Lmos, cluster: ServedCluster) -> None:
    cluster.kubeconfig.write_text(cluster.kubeconfig.read_text().replace(cluster.url, "http://127.0.0.1:9"))
    outcome = lmos("get", "channels", "--cluster")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: the API server http://127.0.0.1:9 cannot be reached:")
    assert outcome.err.endswith("\n  fix: is it running, and is `server` of the kubeconfig's cluster right?\n")


@pytest.mark.parametrize(
    "command", [["get", "channels"], ["apply", "-f", "manifests.yaml"], ["plan", "-f", "manifests.yaml"]]
)
def test_a_context_that_is_not_in_the_kubeconfig_is_told_with_those_that_are(
    lmos: Lmos, cluster: ServedCluster, command: list[str]
) -> None:
    assert lmos(*command, "--context", "prod").err == (
        f"error: {cluster.kubeconfig}: there is no context 'prod'\n  fix: known: staging, test\n"
    )


@pytest.mark.parametrize("command", ["apply", "plan"])
def test_an_agent_that_lives_in_a_process_cannot_live_in_a_cluster(
    lmos: Lmos, cluster: ServedCluster, command: str
) -> None:
    lmos("agent", "new", "shop")
    assert lmos(command, "-f", "manifests.yaml", "-f", "shop.agent.py", "--cluster") == snapshot(
        Outcome(
            code=1,
            out="",
            err="""\
error: shop.agent.py: agent 'shop' is local: it lives in the process of `lmos up`, not in a cluster
  fix: serve it (lmos agent run), and apply an Agent 'shop' with that address as spec.endpoint.url
""",
        )
    )
    assert cluster.requests == []


def test_an_object_that_cannot_be_read_is_told_and_the_others_are_shown(
    applied_there: Lmos, cluster: ServedCluster
) -> None:
    def strange(request: Request) -> Answer | None:
        if not request.watches or not request.path.endswith("/agents"):
            return None
        meta = {"namespace": "default", "uid": "1", "resourceVersion": "5"}
        end = {"resourceVersion": "9", "annotations": {"k8s.io/initial-events-end": "true"}}
        events = [
            {"type": "ADDED", "object": {"metadata": meta | {"name": "good"}, "spec": {"newer": 1}}},
            {
                "type": "ADDED",
                "object": {"metadata": meta | {"name": "bad"}, "spec": {"endpoint": {"protocol": "grpc"}}},
            },
            {"type": "BOOKMARK", "object": {"metadata": end}},
        ]
        return Answer(200, b"\n".join(json.dumps(event).encode() for event in events))

    cluster.script = strange
    assert applied_there("get", "agents", "--cluster", "-o", "name") == snapshot(
        Outcome(
            code=0,
            out="agent.lmos.eclipse/good\n",
            err="""\
warning: field is unknown to this version, ignored: kind Agent, field spec.newer
warning: agent/bad (namespace default) cannot be read: spec.endpoint.protocol: Input should be 'arc', 'a2a' or 'local' (found 'grpc'); correct it: kubectl edit agents.lmos.eclipse bad -n default
""",
        )
    )
