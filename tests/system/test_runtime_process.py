"""`lmos runtime` with an operator that answers as that of Eclipse LMOS: asked when a turn needs it, missed by none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from anyio import to_thread

from lmos.testing import FakeArcAgent
from lmos.testing.processes import until
from tests.cluster.operators import RuntimeProcess, fetch
from tests.operator.builders import channel
from tests.operator.remote_operators import OriginalOperator, channel_routing, listening, serving_on

pytestmark = pytest.mark.anyio

HOST = "billing.default.svc.cluster.local"


async def test_a_runtime_works_with_an_operator_of_eclipse_lmos_and_outlives_it(tmp_path: Path) -> None:
    original = OriginalOperator(
        channel_routing("web", "billing"), channel(("bill", "*"), name="web").with_meta(resource_version="1")
    )
    with listening() as sock:
        async with FakeArcAgent(default="39.95 EUR") as agent:
            settings = {"LMOS_SERVICE_HOSTS": f"{HOST}={agent.url.removeprefix('http://')}"}
            async with serving_on(sock, original) as url:
                runtime = RuntimeProcess(tmp_path, url, "default", settings=settings)
                await to_thread.run_sync(_lives_with_it, runtime)
            sock.close()
            try:
                assert "/apis/v1/tenants/acme/channels/web/routing" in original.asked
                await to_thread.run_sync(_outlives_it, runtime)
            finally:
                await to_thread.run_sync(runtime.stop)


def _lives_with_it(runtime: RuntimeProcess) -> None:
    runtime.until_ready()
    assert runtime.turn("how much is my bill", "c1") == (200, {"content": "39.95 EUR", "anonymizationEntities": []})
    status, body = fetch(f"{runtime.api}/apis/v1/tenants/acme/channels")
    assert (status, [found["metadata"]["name"] for found in json.loads(body)]) == (200, ["web"])
    assert fetch(f"{runtime.api}/apis/v1/tenants/acme/channels/nowhere")[0] == 404
    assert runtime.turn("hello", "c2", channel="nowhere")[1]["errorCode"] == "AGENT_NOT_FOUND"


def _outlives_it(runtime: RuntimeProcess) -> None:
    until(lambda: fetch(f"{runtime.api}/apis/v1/tenants/acme/channels")[0] == 500, "the operator being away")
    assert runtime.turn("how much is my bill", "c3")[0] == 200
    assert runtime.waits_for() == []
    assert fetch(f"{runtime.probes}/livez")[0] == 200
