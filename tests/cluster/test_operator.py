"""`lmos operator` as a process on a real API server: what it shows, what it waits for, how it ends."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from lmos.testing.processes import until
from tests.cluster.operators import OperatorProcess, agent_manifest, channel_manifest, fetch
from tests.cluster.plugin import Kubectl, StartCluster
from tools.testcluster import Access
from tools.testcluster.definitions import definitions
from tools.testcluster.parts import API, API_SERVER

RESOLVING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: resolving}
rules:
- {apiGroups: [lmos.eclipse], resources: [agents, channels, channelroutings], verbs: [get, list, watch, create, patch]}
- {apiGroups: [lmos.eclipse], resources: [agents/status, channels/status], verbs: [patch]}
- {apiGroups: [lmos.eclipse], resources: [channels/finalizers], verbs: [update]}
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}
"""


@pytest.fixture
def operator(api_server: Access, namespace: str, tmp_path: Path) -> Generator[OperatorProcess]:
    """One that leads."""
    with OperatorProcess(tmp_path, api_server.kubeconfig(), namespace) as operator:
        operator.until_ready()
        operator.until_leading(10)
        yield operator


def get(operator: OperatorProcess, path: str, namespace: str) -> Any:
    status, body = fetch(f"{operator.api}/apis/v1/{path}", headers={"x-namespace": namespace})
    return json.loads(body) if status == 200 else status


def test_it_resolves_channels_and_answers_from_what_it_knows(
    operator: OperatorProcess, kubectl: Kubectl, namespace: str
) -> None:
    kubectl("apply", "-f", "-", stdin=f"{agent_manifest('billing', 'bill')}---\n{channel_manifest('web', 'bill')}")
    kubectl("wait", "channel/web", "--for=condition=Resolved", "--timeout=10s")
    routing = get(operator, "tenants/acme/channels/web/routing", namespace)
    assert [group["name"] for group in routing["spec"]["capabilityGroups"]] == ["billing"]
    assert "ownerReferences" not in routing["metadata"]
    assert get(operator, "tenants/acme/channels/web", namespace)["status"]["unresolvedRequiredCapabilities"] == []
    assert [item["metadata"]["name"] for item in get(operator, "channelroutings", namespace)["items"]] == ["web"]
    assert get(operator, "tenants/acme/channels/nowhere", namespace) == 404
    assert operator.metric("lmos_channel_resolved", name="web") == 1
    assert "AllCapabilitiesProvided" in kubectl("events", "--for", "channels.lmos.eclipse/web")
    before = operator.metric("rest_client_requests_total", method="GET")
    for _ in range(20):
        get(operator, "tenants/acme/channels/web/routing", namespace)
    assert operator.metric("rest_client_requests_total", method="GET") == before


def test_it_is_alive_and_ready_under_the_paths_of_both_worlds(operator: OperatorProcess) -> None:
    paths = ("/livez", "/readyz", "/health", "/health/liveness", "/health/readiness", "/metrics", "/prometheus")
    assert [fetch(f"{operator.probes}{path}")[0] for path in paths] == [200] * len(paths)


def test_it_stops_within_seconds_and_finishes_what_it_has_begun(
    operator: OperatorProcess, kubectl: Kubectl, namespace: str
) -> None:
    kubectl("apply", "-f", "-", stdin="---\n".join(channel_manifest(f"c{n}", "bill") for n in range(60)))
    began = time.monotonic()
    assert operator.stop() == 0
    assert time.monotonic() - began < 10
    lease = json.loads(kubectl("get", "lease", "lmos-operator", "-o", "json"))
    assert lease["spec"]["holderIdentity"] == ""
    assert "Traceback" not in operator.err


def test_it_stops_within_ten_seconds_although_the_api_server_hangs(new_cluster: StartCluster, tmp_path: Path) -> None:
    cluster = new_cluster(parts=API_SERVER, crds=definitions())
    with OperatorProcess(tmp_path, cluster.kubeconfig(), "default", "--no-discovery") as operator:
        operator.until_leading(20)
        server = cluster.part(API)
        server.pause()
        try:
            began = time.monotonic()
            operator.send(signal.SIGTERM)
            assert operator.wait(10) == 0
            assert time.monotonic() - began < 10
        finally:
            server.resume()
    assert "lease not released" in operator.err


def test_its_log_can_be_json(api_server: Access, namespace: str, tmp_path: Path) -> None:
    with OperatorProcess(
        tmp_path, api_server.kubeconfig(), namespace, settings={"LMOS_LOG_FORMAT": "json"}
    ) as operator:
        operator.until_leading(10)
        operator.send(signal.SIGTERM)
        assert operator.wait() == 0
    lines = [json.loads(line) for line in operator.err.splitlines()]
    assert [line["event"] for line in lines] == ["lease acquired", "stopping", "lease released"]


def test_it_waits_for_definitions_that_are_installed_later(new_cluster: StartCluster, tmp_path: Path) -> None:
    cluster = new_cluster(parts=API_SERVER)
    with OperatorProcess(tmp_path, cluster.kubeconfig(), "default", "--no-discovery") as operator:
        until(lambda: len(operator.waits_for()) == 3, "all three kinds to be missing")
        assert all("lmos crds | kubectl apply" in line for line in operator.waits_for())
        assert fetch(f"{operator.probes}/livez")[0] == 200
        assert fetch(f"{operator.api}/apis/v1/tenants/acme/channels")[0] == 503
        cluster.install(definitions(cluster.binaries.data))
        operator.until_ready(60)


def test_it_says_which_rights_are_missing_and_works_once_it_has_them(
    api_server: Access, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    kubeconfig = api_server.service_account(namespace, "late")
    with OperatorProcess(tmp_path, kubeconfig, namespace, "--no-discovery") as operator:
        until(lambda: len(operator.waits_for()) == 4, "the rights on three kinds and the Lease to be missing")
        for missing in ("grant the verb 'list' on 'channels'", "leases"):
            until(
                lambda missing=missing: any(missing in line for line in operator.waits_for()), f"{missing!r} to be said"
            )
        kubectl("apply", "-f", "-", stdin=RESOLVING)
        kubectl("create", "rolebinding", "late", "--role=resolving", f"--serviceaccount={namespace}:late")
        operator.until_ready(60)
        operator.until_leading(10)


def test_a_right_that_is_taken_away_makes_it_unready(
    api_server: Access, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    kubeconfig = api_server.service_account(namespace, "short")
    kubectl("apply", "-f", "-", stdin=RESOLVING)
    kubectl("create", "rolebinding", "short", "--role=resolving", f"--serviceaccount={namespace}:short")
    with OperatorProcess(tmp_path, kubeconfig, namespace, "--no-discovery") as operator:
        operator.until_ready()
        operator.until_leading(10)
        no_writing = RESOLVING.replace("create, patch]}", "create]}", 1)
        kubectl("apply", "-f", "-", stdin=no_writing)
        time.sleep(0.5)
        kubectl("apply", "-f", "-", stdin=channel_manifest("web", "bill"))
        missing = "grant the verb 'patch' on 'channelroutings'"
        until(lambda: any(missing in line for line in operator.waits_for()), "the missing right to be noticed")
        assert fetch(f"{operator.probes}/livez")[0] == 200
        kubectl("apply", "-f", "-", stdin=RESOLVING)
        operator.until_ready(60)
        kubectl("wait", "channel/web", "--for=jsonpath={.status.resolveStatus}=UNRESOLVED", "--timeout=10s")


def test_several_namespaces_need_no_right_on_the_whole_cluster(
    api_server: Access, new_namespace: Callable[[], str], tmp_path: Path
) -> None:
    first, second, third = new_namespace(), new_namespace(), new_namespace()
    kubeconfig = api_server.service_account(first, "narrow")
    for namespace in (first, second):
        api_server.kubectl("apply", "-n", namespace, "-f", "-", stdin=RESOLVING)
        api_server.kubectl(
            *("create", "rolebinding", "narrow", "-n", namespace, "--role=resolving"),
            f"--serviceaccount={first}:narrow",
        )
    with OperatorProcess(tmp_path, kubeconfig, f"{first},{second}", "--no-discovery") as operator:
        operator.until_ready()
        for namespace in (first, second, third):
            api_server.kubectl("apply", "-n", namespace, "-f", "-", stdin=channel_manifest("web", "bill"))
        for namespace in (first, second):
            until(lambda namespace=namespace: _statuses(api_server, namespace) == ["UNRESOLVED"], "a status")
        assert _statuses(api_server, third) == [None]
        assert get(operator, "channels", third) == 404


def _statuses(api_server: Access, namespace: str) -> list[str | None]:
    items = api_server.get("channels", "-n", namespace)["items"]
    return [item.get("status", {}).get("resolveStatus") for item in items]


def test_a_namespace_that_does_not_exist_is_named(api_server: Access, namespace: str, tmp_path: Path) -> None:
    ghost = f"{namespace[:50]}-ghost"
    with OperatorProcess(tmp_path, api_server.kubeconfig(), f"{namespace},{ghost}") as operator:
        until(lambda: operator.waits_for() == [f"namespace {ghost!r}, which does not exist"], "the ghost to be noticed")
        api_server.kubectl("create", "namespace", ghost)
        try:
            operator.until_ready()
        finally:
            api_server.kubectl("delete", "namespace", ghost, "--wait=false")
