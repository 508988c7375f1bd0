"""`get`, `describe`, `plan` and `route` on a cluster: a simulated API server behind a real port."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from lmos.operator.kubernetes.transport import Answer
from lmos.testing import LmosProcess
from lmos.testing.api_server import Request
from tests.cli.conftest import MANIFESTS, Lmos, Outcome
from tests.cli.served import ServedCluster, answered


def _resolved(cluster: ServedCluster, name: str, generation: int = 1) -> None:
    """As an operator says it."""
    status = {"resolveStatus": "RESOLVED", "observedGeneration": generation}
    channel = {"kind": "Channel", "metadata": {"name": name}, "status": status}
    cluster.apply(channel, "lmos-operator-status", status=True)


def test_the_namespace_is_that_of_the_context(lmos: Lmos, cluster: ServedCluster) -> None:
    assert lmos("apply", "-f", "manifests.yaml", "--context", "staging").code == 0
    assert lmos("get", "agents", "--context", "staging", "-o", "name").out.splitlines() == [
        "agent.lmos.eclipse/billing",
        "agent.lmos.eclipse/contract",
    ]
    assert lmos("get", "agents", "--cluster").err == "No resources found in default namespace.\n"


def test_the_environment_names_context_and_namespace(
    lmos: Lmos, cluster: ServedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMOS_CONTEXT", "staging")
    assert lmos("get", "agents").err == "No resources found in stage namespace.\n"
    monkeypatch.setenv("LMOS_NAMESPACE", "other")
    assert lmos("get", "agents").err == "No resources found in other namespace.\n"


def test_a_plan_is_the_same_on_a_cluster_as_in_a_folder(applied_there: Lmos, folder: Path) -> None:
    applied_there("apply", "-f", "manifests.yaml")
    (folder / "change.yaml").write_text(MANIFESTS.split("---")[0].replace("1.2.0", "2.0.0"))
    words = ("plan", "-f", "change.yaml", "--delete", "agent/contract")
    there, here = applied_there(*words, "--cluster"), applied_there(*words)
    assert there == here
    assert there.code == 2


def test_a_plan_reads_only_the_namespaces_that_it_touches(applied_there: Lmos, cluster: ServedCluster) -> None:
    cluster.requests.clear()
    applied_there("plan", "--delete", "agent/contract", "--cluster")
    assert {request.path for request in cluster.requests} == {
        "/apis/lmos.eclipse/v1/namespaces/default/agents",
        "/apis/lmos.eclipse/v1/namespaces/default/channels",
    }


def test_events_are_described(applied_there: Lmos, cluster: ServedCluster) -> None:
    def events(request: Request) -> Answer | None:
        if not request.path.endswith("/events"):
            return None
        assert request.query["fieldSelector"].startswith("regarding.uid=")
        old = {"type": "Warning", "reason": "CapabilitiesUnresolved", "note": "no agent", "deprecatedCount": 3}
        old |= {"deprecatedSource": {"component": "older"}, "deprecatedLastTimestamp": "2026-11-20T09:00:00Z"}
        new = {"type": "Normal", "reason": "AllCapabilitiesProvided", "note": "capabilities: 2, agents: 2"}
        new |= {"reportingController": "lmos-operator", "eventTime": "2026-11-25T05:00:00.123456Z"}
        return answered(200, {"items": [new, old]})

    cluster.script = events
    section = applied_there("describe", "channel", "acme-web", "--cluster").out.partition("Events:")[2]
    rows = [line.split() for line in section.splitlines()[1:]]
    assert [[cell for cell in row if not re.fullmatch(r"(\d+[smhdy])+", cell)] for row in rows] == snapshot(
        [
            ["TYPE", "REASON", "AGE", "FROM", "MESSAGE"],
            ["Warning", "CapabilitiesUnresolved", "(x3)", "older", "no", "agent"],
            ["Normal", "AllCapabilitiesProvided", "lmos-operator", "capabilities:", "2,", "agents:", "2"],
        ]
    )


def test_who_may_not_read_events_is_told_all_else(applied_there: Lmos, cluster: ServedCluster) -> None:
    cluster.script = lambda request: (
        answered(403, {"message": "events is forbidden", "reason": "Forbidden"})
        if request.path.endswith("/events")
        else None
    )
    outcome = applied_there("describe", "channel", "acme-web", "--cluster")
    assert (outcome.code, "Events" in outcome.out, outcome.err) == (0, False, "")


def test_the_router_decides_on_what_the_cluster_routes(lmos: Lmos, cluster: ServedCluster) -> None:
    outcome = lmos("route", "hello", "--tenant", "acme", "--channel", "web", "--cluster")
    assert (outcome.code, outcome.err) == snapshot(
        (
            1,
            """\
error: no routing for channel 'web' of tenant 'acme' in subset 'stable' (namespace 'default')
  fix: there is none in the cluster: apply a Channel first, or look elsewhere: --data, --context
""",
        )
    )


def test_watching_shows_changes_and_outlives_a_broken_connection(
    applied_there: Lmos, cluster: ServedCluster, folder: Path
) -> None:
    settings = {"KUBECONFIG": str(cluster.kubeconfig)}
    with LmosProcess("get", "channels", "-w", "--cluster", folder=folder, name="watch", settings=settings) as process:
        process.until(lambda: "acme-web" in process.out, "the list")
        _resolved(cluster, "acme-web")
        process.until(lambda: "RESOLVED" in process.out.split("AGE")[1], "a change")
        cluster.portal.call(cluster.server.stop)
        cluster.portal.call(cluster.server.start)
        _resolved(cluster, "acme-ivr")
        process.until(lambda: process.out.count(" RESOLVED ") >= 2, "a change after the break")
        process.send(signal.SIGINT)
        assert process.wait() == 130


def test_names_are_asked_for_one_by_one(applied_there: Lmos, cluster: ServedCluster) -> None:
    cluster.requests.clear()
    outcome: Outcome = applied_there("get", "agent", "contract", "billing", "--cluster", "-o", "name")
    assert outcome.out == "agent.lmos.eclipse/contract\nagent.lmos.eclipse/billing\n"
    assert [request.path.rpartition("/")[2] for request in cluster.requests] == ["contract", "billing"]
