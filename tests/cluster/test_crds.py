"""CustomResourceDefinitions that are deleted and created again under a running operator: no ghosts, no hot loop."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

import pytest

from lmos.testing.processes import until
from tests.cluster.operators import OperatorProcess, agent_manifest, channel_manifest, fetch
from tests.cluster.plugin import StartCluster
from tools.testcluster import API_SERVER, Cluster, definitions

SECONDS = 5.0


@pytest.fixture
def cluster(new_cluster: StartCluster) -> Cluster:
    """To be broken."""
    return new_cluster(parts=API_SERVER, crds=definitions())


@pytest.fixture
def operator(cluster: Cluster, tmp_path: Path) -> Generator[OperatorProcess]:
    """One that leads, with an Agent and a Channel that is resolved by it."""
    with OperatorProcess(tmp_path, cluster.kubeconfig(), "default", "--no-discovery") as operator:
        cluster.apply(f"{agent_manifest('billing', 'bill')}---\n{channel_manifest('web', 'bill')}")
        until(lambda: status(cluster) == "RESOLVED", "the Channel to be resolved")
        yield operator


def status(cluster: Cluster) -> str:
    return cluster.kubectl("get", "channel/web", "--ignore-not-found", "-o", "jsonpath={.status.resolveStatus}")


def known(operator: OperatorProcess, kind: str) -> float:
    return operator.metric("lmos_cache_objects", kind=kind)


def test_agents_that_went_with_their_definition_serve_nobody(cluster: Cluster, operator: OperatorProcess) -> None:
    cluster.kubectl("delete", "crd", "agents.lmos.eclipse")
    until(lambda: status(cluster) == "UNRESOLVED", "the Channel to lose its agent")
    assert known(operator, "Agent") == 0

    cluster.install(definitions())
    operator.until_ready(60)
    assert status(cluster) == "UNRESOLVED"

    cluster.apply(agent_manifest("accounting", "bill"))
    until(lambda: status(cluster) == "RESOLVED", "the Channel to get the new agent", 60)


def test_channels_that_went_with_their_definition_are_not_shown(cluster: Cluster, operator: OperatorProcess) -> None:
    url = f"{operator.api}/apis/v1/tenants/acme/channels/web"
    assert fetch(url, headers={"x-namespace": "default"})[0] == 200

    cluster.kubectl("delete", "crd", "channels.lmos.eclipse")
    until(lambda: fetch(url, headers={"x-namespace": "default"})[0] == 404, "the Channel to be shown no more")

    cluster.install(definitions())
    operator.until_ready(60)
    assert fetch(url, headers={"x-namespace": "default"})[0] == 404

    cluster.apply(channel_manifest("web", "bill"))
    until(lambda: status(cluster) == "RESOLVED", "the new Channel to be resolved", 60)
    assert fetch(url, headers={"x-namespace": "default"})[0] == 200


def test_routings_that_went_with_their_definition_come_back_with_it(
    cluster: Cluster, operator: OperatorProcess
) -> None:
    cluster.kubectl("delete", "crd", "channelroutings.lmos.eclipse")
    until(lambda: known(operator, "ChannelRouting") == 0, "the routing to be forgotten")

    cluster.install(definitions())

    until(lambda: known(operator, "ChannelRouting") == 1, "the routing to be made anew", 60)
    groups = cluster.get("channelrouting/web")["spec"]["capabilityGroups"]
    assert [group["name"] for group in groups] == ["billing"]


def test_a_missing_definition_is_told_and_not_asked_for_without_end(
    cluster: Cluster, operator: OperatorProcess
) -> None:
    cluster.kubectl("delete", "crd", "agents.lmos.eclipse", "channelroutings.lmos.eclipse")
    until(lambda: "lmos crds | kubectl apply" in " ".join(operator.waits_for()), "the definitions to be missed", 30)
    time.sleep(2)  # the first, quick attempts

    before = operator.metric("rest_client_requests_total")
    time.sleep(SECONDS)

    # Leases, and some attempts that are further and further apart.
    assert operator.metric("rest_client_requests_total") - before < 8 * SECONDS
    assert fetch(f"{operator.probes}/livez")[0] == 200
    cluster.install(definitions())
    operator.until_ready(60)
