"""An operator without a right: it says which, does not run hot, goes on with the rest, and recovers when granted."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil
import pytest

from lmos.testing.processes import until
from tests.cluster.operators import OperatorProcess, agent_manifest, channel_manifest
from tests.cluster.plugin import Kubectl
from tests.cluster.test_operator import RESOLVING
from tools.testcluster import Access

CHANNELS = 20
SECONDS = 4.0

# The role without one verb: where it is taken away, and how the log names it.
MISSING = [
    pytest.param("agents, channels, channelroutings", "watch", "the verb 'watch' on 'channels'", id="watch channels"),
    pytest.param("agents, channels, channelroutings", "patch", "'patch' on 'channelroutings'", id="patch routings"),
    pytest.param("agents/status, channels/status", "patch", "'patch' on 'channels/status'", id="patch status"),
]


def without(resources: str, verb: str) -> str:
    """The operator's role without one verb on these resources."""
    lines: list[str] = [*RESOLVING.splitlines()]
    (number,) = (n for n, line in enumerate(lines) if f"resources: [{resources}]" in line)
    before, verbs = lines[number].split("verbs: [")
    kept = [one for one in verbs.rstrip("]}").split(", ") if one != verb] or ["get"]
    lines[number] = f"{before}verbs: [{', '.join(kept)}]}}"
    return "\n".join(lines)


@pytest.mark.parametrize(("resources", "verb", "told"), MISSING)
def test_a_missing_right_is_named_costs_little_and_is_enough_once_granted(
    api_server: Access, namespace: str, kubectl: Kubectl, tmp_path: Path, resources: str, verb: str, told: str
) -> None:
    kubeconfig = api_server.service_account(namespace, "poor")
    kubectl("apply", "-f", "-", stdin=without(resources, verb))
    kubectl("create", "rolebinding", "poor", "--role=resolving", f"--serviceaccount={namespace}:poor")
    manifests = [agent_manifest("billing", "bill"), *(channel_manifest(f"c{n}", "bill") for n in range(CHANNELS))]
    kubectl("apply", "-f", "-", stdin="---\n".join(manifests))
    with OperatorProcess(
        tmp_path, kubeconfig, namespace, "--no-discovery", settings={"LMOS_LOG_FORMAT": "json"}
    ) as operator:
        operator.until(lambda: any(told in line for line in errors(operator)), f"its log to name {told}", 20)
        assert any(told in line for line in operator.waits_for())
        time.sleep(2)  # the first, quick attempts

        process = psutil.Process(operator.pid)
        cpu, requests = _cpu(process), operator.metric("rest_client_requests_total", code="403")
        time.sleep(SECONDS)
        assert operator.metric("rest_client_requests_total", code="403") - requests < 2 * (CHANNELS + 3)
        assert _cpu(process) - cpu < 0.2 * SECONDS

        kubectl("apply", "-f", "-", stdin=RESOLVING)
        operator.until_ready(60)
        kubectl("wait", "channel", "--all", "--for=condition=Resolved", "--timeout=60s")
        until(lambda: operator.waits_for() == [], "nothing to be missing")


def errors(operator: OperatorProcess) -> list[str]:
    """What its log tells of failures."""
    *lines, _unfinished = operator.err.split("\n")
    return [json.loads(line).get("error", "") for line in lines]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
