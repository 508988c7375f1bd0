"""`lmos runtime` beside `lmos operator` on a real API server, with an ARC agent: three processes and a cluster."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from lmos.testing import FakeArcAgent
from lmos.testing.processes import until
from tests.cluster.operators import OperatorProcess, RuntimeProcess, agent_manifest, channel_manifest, fetch
from tests.cluster.plugin import Kubectl
from tools.testcluster import Access

SEEN_SECONDS = 1.0


@pytest.fixture(scope="module")
def agent() -> Generator[FakeArcAgent]:
    """An agent on a socket, in a thread of its own."""
    with start_blocking_portal() as portal:
        agent = FakeArcAgent(default="Your bill is 39.95 EUR.")
        with portal.wrap_async_context_manager(agent):
            yield agent


@pytest.fixture
def operator(api_server: Access, namespace: str, tmp_path: Path) -> Generator[OperatorProcess]:
    with OperatorProcess(tmp_path, api_server.kubeconfig(), namespace, "--no-discovery") as operator:
        operator.until_ready()
        yield operator


@pytest.fixture
def runtime(
    operator: OperatorProcess, agent: FakeArcAgent, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> Generator[RuntimeProcess]:
    """One that has a channel `web`, served by the agent."""
    manifests = f"{agent_manifest('billing', 'bill', agent.url)}---\n{channel_manifest('web', 'bill')}"
    kubectl("apply", "-f", "-", stdin=manifests)
    kubectl("wait", "channel/web", "--for=condition=Resolved", "--timeout=10s")
    with RuntimeProcess(tmp_path, operator.api, namespace) as runtime:
        runtime.until_ready()
        yield runtime


def answered(runtime: RuntimeProcess, conversation: str, *, channel: str = "web") -> bool:
    status, body = runtime.turn("what about my bill", conversation, channel=channel)
    return status == 200 and body["content"] == "Your bill is 39.95 EUR."


def test_a_turn_is_answered_by_an_agent_of_the_cluster(runtime: RuntimeProcess, namespace: str) -> None:
    assert answered(runtime, "c1")
    status, body = fetch(f"{runtime.api}/apis/v1/agents?tenantId=acme&channelId=web")
    assert (status, '"name":"billing"' in body) == (200, True)
    status, body = fetch(f"{runtime.api}/apis/v1/tenants/acme/channels/web/routing")
    assert (status, namespace in body) == (200, True)
    assert fetch(f"{runtime.api}/apis/v1/tenants/acme/channels/nowhere")[0] == 404
    assert runtime.turn("hello", "c2", channel="nowhere")[1]["errorCode"] == "AGENT_NOT_FOUND"
    for address in (runtime.api, runtime.probes):
        assert [fetch(f"{address}{path}")[0] for path in ("/livez", "/readyz", "/metrics")] == [200] * 3


def test_a_change_is_seen_within_a_second(runtime: RuntimeProcess, kubectl: Kubectl) -> None:
    assert answered(runtime, "c1")
    kubectl("label", "channel", "web", "channel=app", "--overwrite")
    began = time.monotonic()
    until(lambda: answered(runtime, f"c{time.monotonic()}", channel="app"), "the change to be seen", 10)
    assert time.monotonic() - began < SEEN_SECONDS


def test_turns_go_on_without_the_operator_and_its_successor_is_followed(
    runtime: RuntimeProcess,
    operator: OperatorProcess,
    api_server: Access,
    namespace: str,
    kubectl: Kubectl,
    tmp_path: Path,
) -> None:
    operator.kill()
    assert answered(runtime, "c1")
    assert runtime.waits_for() == []
    port = operator.api.rpartition(":")[2]
    kubectl("label", "channel", "web", "channel=app", "--overwrite")
    with OperatorProcess(
        tmp_path, api_server.kubeconfig(), namespace, "--no-discovery", "--no-leader-elect", name="successor", port=port
    ) as successor:
        successor.until_ready()
        until(lambda: answered(runtime, f"c{time.monotonic()}", channel="app"), "the successor to be followed", 15)
    assert answered(runtime, "c2", channel="app")


def test_a_runtime_waits_for_its_operator_and_says_so(api_server: Access, namespace: str, tmp_path: Path) -> None:
    with OperatorProcess(tmp_path, api_server.kubeconfig(), namespace, "--no-discovery", name="late") as operator:
        url = operator.api
        assert operator.stop() == 0
    with RuntimeProcess(tmp_path, url, namespace) as runtime:
        runtime.until(lambda: "cannot be reached" in "".join(runtime.waits_for()), "saying what it waits for")
        assert runtime.waits_for()[0].startswith(f"the routings of the operator at {url}")
        status, body = runtime.turn("hello", "c1")
        assert (status, body["errorCode"]) == (500, "INTERNAL_SERVER_ERROR")
        assert fetch(f"{runtime.probes}/livez")[0] == 200
        with OperatorProcess(
            tmp_path, api_server.kubeconfig(), namespace, "--no-discovery", port=url.rpartition(":")[2]
        ):
            runtime.until_ready(20)


def test_it_stops_in_order(runtime: RuntimeProcess) -> None:
    runtime.send(signal.SIGTERM)
    assert runtime.wait() == 0
    assert "Traceback" not in runtime.err
