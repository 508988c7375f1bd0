"""Namespaces that are deleted while an operator works in them: it does not hold that up, and does not run hot."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from lmos.testing.processes import until
from tests.cluster.operators import OperatorProcess, agent_manifest, channel_manifest
from tools.testcluster import Access

CHANNELS = 20
MANIFESTS = "---\n".join(
    [agent_manifest("billing", "bill"), *(channel_manifest(f"c{number}", "bill") for number in range(CHANNELS))]
)


@pytest.fixture
def operator(
    cluster: Access, new_namespace: Callable[[], str], tmp_path: Path
) -> Generator[tuple[OperatorProcess, str, str]]:
    """One that leads, and two namespaces with resolved Channels; its Lease is in the first, which stays."""
    first, second = new_namespace(), new_namespace()
    with OperatorProcess(tmp_path, cluster.kubeconfig(), f"{first},{second}", "--no-discovery") as operator:
        for namespace in (first, second):
            fill(cluster, namespace)
        yield operator, first, second


def fill(cluster: Access, namespace: str) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=MANIFESTS)
    cluster.kubectl("wait", "channel", "--all", "-n", namespace, "--for=condition=Resolved", "--timeout=30s")


def test_a_namespace_goes_although_an_operator_works_in_it(
    cluster: Access, operator: tuple[OperatorProcess, str, str]
) -> None:
    process, first, second = operator
    cluster.kubectl("delete", "namespace", second, "--wait=false")
    # Its Channels are changed while it goes, so that there is something to write where nothing can be created any more.
    cluster.kubectl("delete", "channelrouting", "--all", "-n", second, "--wait=false")

    until(lambda: not cluster.kubectl("get", "namespace", second, "--ignore-not-found"), "the namespace to go", 60)

    until(lambda: process.metric("lmos_cache_objects", kind="Channel") == CHANNELS, "its Channels to be forgotten")
    assert process.metric("lmos_cache_objects", kind="ChannelRouting") == CHANNELS
    assert process.metric("lmos_operator_reconcile_panics_total") == 0
    assert process.metric("lmos_operator_reconcile_total") < 20 * CHANNELS
    time.sleep(2)
    before = process.metric("lmos_operator_reconcile_total")
    time.sleep(3)
    assert process.metric("lmos_operator_reconcile_total") == before
    cluster.kubectl("apply", "-n", first, "-f", "-", stdin=channel_manifest("late", "bill"))
    cluster.kubectl("wait", "channel/late", "-n", first, "--for=condition=Resolved", "--timeout=20s")


def test_a_namespace_that_comes_again_is_served_as_a_new_one(
    cluster: Access, operator: tuple[OperatorProcess, str, str]
) -> None:
    process, _, second = operator
    cluster.kubectl("delete", "namespace", second, seconds=60)

    cluster.kubectl("create", "namespace", second)
    cluster.kubectl("apply", "-n", second, "-f", "-", stdin=channel_manifest("c0", "bill"))

    # The agents of its former life are gone.
    cluster.kubectl(
        "wait", "channel/c0", "-n", second, "--for=jsonpath={.status.resolveStatus}=UNRESOLVED", "--timeout=60s"
    )
    fill(cluster, second)
    process.until_ready()
