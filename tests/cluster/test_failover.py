"""Two operators on a real API server: one leads; the other follows when that one stops, dies, or is paused."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.cluster.operators import OperatorProcess, agent_manifest, channel_manifest, fetch
from tests.cluster.plugin import Kubectl
from tools.testcluster import Access

FAILOVER_SECONDS = 20.0
HANDOVER_SECONDS = 2.0


@pytest.fixture
def operators(api_server: Access, namespace: str, tmp_path: Path) -> Generator[tuple[OperatorProcess, OperatorProcess]]:
    """The leader, and one that stands by."""
    kubeconfig = api_server.kubeconfig()
    with (
        OperatorProcess(tmp_path, kubeconfig, namespace, "--no-discovery", name="first") as first,
        OperatorProcess(tmp_path, kubeconfig, namespace, "--no-discovery", name="second") as second,
    ):
        first.until_ready()
        second.until_ready()
        yield (first, second) if first.leads else (second, first)


def wait_resolved(kubectl: Kubectl, *channels: str) -> None:
    names = [f"channel/{name}" for name in channels]
    kubectl("wait", *names, "--for=condition=Resolved", "--timeout=10s")


def writes(operator: OperatorProcess) -> float:
    """Requests that change something beside the Lease, of which there is no PATCH."""
    return operator.metric("rest_client_requests_total", method="PATCH")


def test_one_leads_and_both_answer(
    operators: tuple[OperatorProcess, OperatorProcess], kubectl: Kubectl, namespace: str
) -> None:
    leader, follower = operators
    assert (leader.leads, follower.leads) == (True, False)
    kubectl("apply", "-f", "-", stdin=f"{agent_manifest('billing', 'bill')}---\n{channel_manifest('web', 'bill')}")
    wait_resolved(kubectl, "web")
    for operator in operators:
        operator.until(lambda operator=operator: operator.metric("lmos_channel_resolved", name="web") == 1, "news")
        status, body = fetch(
            f"{operator.api}/apis/v1/tenants/acme/channels/web/routing", headers={"x-namespace": namespace}
        )
        assert (status, '"name":"billing"' in body) == (200, True)
    assert writes(follower) == 0


def test_a_leader_that_stops_hands_over_within_two_seconds(
    operators: tuple[OperatorProcess, OperatorProcess], kubectl: Kubectl
) -> None:
    leader, follower = operators
    began = time.monotonic()
    leader.send(signal.SIGTERM)
    follower.until_leading(HANDOVER_SECONDS)
    assert time.monotonic() - began <= HANDOVER_SECONDS
    assert leader.wait() == 0
    kubectl("apply", "-f", "-", stdin=f"{agent_manifest('billing', 'bill')}---\n{channel_manifest('web', 'bill')}")
    wait_resolved(kubectl, "web")


@pytest.mark.slow
def test_a_leader_that_dies_is_followed_within_twenty_seconds(
    operators: tuple[OperatorProcess, OperatorProcess], kubectl: Kubectl
) -> None:
    leader, follower = operators
    began = time.monotonic()
    leader.kill()
    kubectl("apply", "-f", "-", stdin=f"{agent_manifest('billing', 'bill')}---\n{channel_manifest('web', 'bill')}")
    follower.until_leading(FAILOVER_SECONDS)
    wait_resolved(kubectl, "web")
    assert time.monotonic() - began <= FAILOVER_SECONDS


@pytest.mark.slow
def test_a_leader_that_was_paused_writes_nothing_once_another_leads(
    operators: tuple[OperatorProcess, OperatorProcess], kubectl: Kubectl
) -> None:
    leader, follower = operators
    channels = [f"c{number}" for number in range(20)]
    manifests = [agent_manifest("billing", "bill"), *(channel_manifest(name, "bill") for name in channels)]
    kubectl("apply", "-f", "-", stdin="---\n".join(manifests))
    wait_resolved(kubectl, *channels)
    kubectl("wait", "agent/billing", "--for=condition=Ready", "--timeout=10s")
    leader.until(lambda: leader.metric("workqueue_depth") == 0, "settling")
    before = writes(leader)
    leader.send(signal.SIGSTOP)
    try:
        # All that it finds when it wakes up: it would have to write each of them.
        kubectl("delete", "agent", "billing")
        follower.until_leading(FAILOVER_SECONDS)
    finally:
        leader.send(signal.SIGCONT)
    leader.until(lambda: "leads no more, stands by" in leader.err, "standing by")
    leader.until(lambda: leader.waits_for() == [], "being ready")
    kubectl("wait", *[f"channel/{name}" for name in channels], "--for=condition=Resolved=false", "--timeout=10s")
    time.sleep(2)
    assert writes(leader) == before >= len(channels) * 2
    assert (leader.leads, follower.leads) == (False, True)
    follower.send(signal.SIGTERM)
    leader.until_leading(HANDOVER_SECONDS)
