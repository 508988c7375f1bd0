"""`apply` and `delete` on a cluster: a simulated API server behind a real port."""
# ruff: noqa: E501 - snapshots are as wide as what they show

from __future__ import annotations

from pathlib import Path
from typing import Any

from inline_snapshot import snapshot

from lmos.operator.kubernetes.transport import Answer
from lmos.testing.api_server import Request
from tests.cli.conftest import MANIFESTS, Lmos
from tests.cli.served import ServedCluster

BILLING: dict[str, Any] = {"kind": "Agent", "metadata": {"name": "billing"}, "spec": {"description": "Theirs"}}


def _resolved(cluster: ServedCluster, name: str, generation: int = 1) -> None:
    """As an operator says it."""
    status = {"resolveStatus": "RESOLVED", "observedGeneration": generation}
    channel = {"kind": "Channel", "metadata": {"name": name}, "status": status}
    cluster.apply(channel, "lmos-operator-status", status=True)


def test_a_kubeconfig_that_lies_around_chooses_no_cluster(lmos: Lmos, cluster: ServedCluster, folder: Path) -> None:
    assert lmos("apply", "-f", "manifests.yaml").code == 0
    assert cluster.requests == []
    assert (folder / ".lmos").exists()


def test_objects_are_applied_by_a_field_manager_of_its_own(
    applied_there: Lmos, cluster: ServedCluster, folder: Path
) -> None:
    assert cluster.managers("agents") == {"lmos-cli"}
    assert not (folder / ".lmos").exists()


def test_applying_the_same_again_changes_nothing(applied_there: Lmos) -> None:
    outcome = applied_there("apply", "-f", "manifests.yaml", "--cluster")
    assert {line.split()[-1] for line in outcome.out.splitlines()} == {"unchanged"}


def test_a_change_configures_that_object_only(applied_there: Lmos, folder: Path) -> None:
    (folder / "manifests.yaml").write_text(MANIFESTS.replace("Bills and payments", "Bills"))
    outcome = applied_there("apply", "-f", "manifests.yaml", "--cluster")
    assert [line for line in outcome.out.splitlines() if not line.endswith("unchanged")] == [
        "agent.lmos.eclipse/billing configured"
    ]


def test_a_field_that_somebody_else_owns_is_left_to_them(lmos: Lmos, cluster: ServedCluster) -> None:
    cluster.apply(BILLING, "kubectl-edit")
    outcome = lmos("apply", "-f", "manifests.yaml", "--cluster")
    assert (outcome.code, outcome.out, outcome.err) == snapshot(
        (
            1,
            """\
agent.lmos.eclipse/contract created
channel.lmos.eclipse/acme-web created
channel.lmos.eclipse/acme-ivr created
""",
            """\
error: manifests.yaml:1: agent/billing (namespace default): another field manager owns what would change:
    .spec.description   kubectl-edit
  fix: leave these fields out, or take them over with --force-conflicts
""",
        )
    )


def test_fields_can_be_taken_over(lmos: Lmos, cluster: ServedCluster) -> None:
    cluster.apply(BILLING, "kubectl-edit")
    outcome = lmos("apply", "-f", "manifests.yaml", "--cluster", "--force-conflicts")
    assert (outcome.code, outcome.out.splitlines()[0]) == (0, "agent.lmos.eclipse/billing configured")
    assert "Bills and payments" in lmos("get", "agent", "billing", "--cluster", "-o", "json").out


def test_waiting_ends_when_the_channels_are_resolved(lmos: Lmos, cluster: ServedCluster, folder: Path) -> None:
    (folder / "channel.yaml").write_text(MANIFESTS.split("---\n")[2])

    def resolve(request: Request) -> Answer | None:
        if request.method == "GET" and request.path.endswith("/acme-web") and len(cluster.requests) > 2:
            cluster.script = lambda _: None
            answer = cluster.server.answer(request)
            assert answer.status == 200
            path = f"{request.path}/status"
            body = b'{"apiVersion":"lmos.eclipse/v1","kind":"Channel","metadata":{"name":"acme-web"},"status":{"resolveStatus":"RESOLVED","observedGeneration":1}}'
            cluster.server.answer(
                Request("PATCH", path, {"fieldManager": "op", "force": "true"}, body, "application/apply-patch+yaml")
            )
            return answer
        return None

    cluster.script = resolve
    outcome = lmos("apply", "-f", "channel.yaml", "--cluster", "--wait")
    assert (outcome.code, outcome.out) == snapshot(
        (
            0,
            """\
channel.lmos.eclipse/acme-web created
channel.lmos.eclipse/acme-web resolved
""",
        )
    )


def test_waiting_tells_that_nobody_reconciles(lmos: Lmos, cluster: ServedCluster) -> None:
    outcome = lmos("apply", "-f", "manifests.yaml", "--cluster", "--wait", "--timeout", "0s")
    assert (outcome.code, outcome.err) == snapshot(
        (
            1,
            """\
error: channel/acme-web (namespace default) was not reconciled within 0 s
  fix: does an operator run, and does it watch this namespace? See `kubectl logs` of lmos-operator
error: channel/acme-ivr (namespace default) was not reconciled within 0 s
  fix: does an operator run, and does it watch this namespace? See `kubectl logs` of lmos-operator
""",
        )
    )


def test_a_status_of_an_older_spec_is_not_waited_for(applied_there: Lmos, cluster: ServedCluster, folder: Path) -> None:
    _resolved(cluster, "acme-web")
    _resolved(cluster, "acme-ivr")
    assert applied_there("apply", "-f", "manifests.yaml", "--cluster", "--wait", "--timeout", "0").code == 0
    (folder / "manifests.yaml").write_text(MANIFESTS.replace("^1.0.0", "^1.1.0"))
    outcome = applied_there("apply", "-f", "manifests.yaml", "--cluster", "--wait", "--timeout", "0")
    assert (outcome.code, "acme-web (namespace default) was not reconciled" in outcome.err) == (1, True)


def test_objects_are_deleted(applied_there: Lmos) -> None:
    outcome = applied_there("delete", "agent", "billing", "nobody", "--cluster")
    assert (outcome.code, outcome.out, outcome.err) == (
        1,
        'agent.lmos.eclipse "billing" deleted\n',
        "error: agent 'nobody' not found in 'default'\n",
    )
