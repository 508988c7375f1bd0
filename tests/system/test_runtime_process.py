"""`lmos runtime` with an operator that answers as that of Eclipse LMOS: asked when a turn needs it, missed by none."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from anyio import to_thread

from lmos.testing import FakeArcAgent
from lmos.testing.processes import LmosProcess, free_port, run_lmos, until
from tests.cluster.operators import RuntimeProcess, agent_manifest, channel_manifest, fetch
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


async def test_a_runtime_follows_the_operator_within_lmos_up(tmp_path: Path) -> None:
    async with FakeArcAgent(default="39.95 EUR") as agent:
        manifests = f"{agent_manifest('billing', 'bill', agent.url)}---\n{channel_manifest('web', 'bill')}"
        (tmp_path / "acme.yaml").write_text(manifests)
        await to_thread.run_sync(_follows_a_platform, tmp_path)


def _follows_a_platform(folder: Path) -> None:
    port = str(free_port())
    words = ("up", "-f", "acme.yaml", "--port", "0", "--operator-port", port, "--data", "data")
    with LmosProcess(*words, folder=folder, name="up", settings={"LMOS_ENCODER": "static"}) as platform:
        platform.ready()
        with RuntimeProcess(folder, f"http://127.0.0.1:{port}", "default") as runtime:
            runtime.until_ready()
            assert runtime.turn("what about my bill", "c1")[1]["content"] == "39.95 EUR"
            run_lmos("delete", "channel", "web", "--data", "data", folder=folder)
            until(lambda: runtime.turn("what about my bill", f"c{time.monotonic()}")[0] == 404, "the change", 5)
            began = time.monotonic()
            assert platform.stop() == 0
            assert time.monotonic() - began < 4


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
