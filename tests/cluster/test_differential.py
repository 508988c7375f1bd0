"""A cluster and the embedded platform make the same of the same manifests.

`make differential` puts 1,000 worlds through it and keeps the result in `tests/cluster/differential.json`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from lmos.clock import SystemClock
from lmos.database.engine import Database
from lmos.operator.kubernetes.connect import connect
from lmos.operator.kubernetes.store import KubernetesStore
from lmos.operator.manager import Manager
from lmos.operator.sqlite import SqliteStore
from lmos.testing.processes import LmosProcess, run_lmos
from tests.cluster.differential import Home, differences, normal
from tests.cluster.plugin import Kubectl
from tests.cluster.worlds import World, generated
from tools.testcluster import Access

pytestmark = pytest.mark.anyio

ACME = Path(__file__).parents[2] / "examples" / "acme"
RECORD = Path(__file__).with_name("differential.json")
SEED = 4
NAMESPACES = 10

Json = dict[str, Any]


@pytest.mark.timeout(900)  # of a thousand worlds
async def test_generated_worlds_resolve_alike(
    cluster: Access, new_namespace: Callable[[], str], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    count: int = pytestconfig.getoption("--worlds", 100) or 100
    worlds = generated(count, SEED)
    assert len(worlds) == count
    namespaces = [new_namespace() for _ in range(min(NAMESPACES, count))]
    began = datetime.now(UTC)
    database = Database.open(tmp_path / "lmos.db", synchronous="normal")
    async with connect(kubeconfig=str(cluster.kubeconfig())) as client:
        embedded, remote = SqliteStore(database, SystemClock()), KubernetesStore(client)
        async with (
            Manager(embedded, SystemClock()) as here,
            Manager(remote, SystemClock(), namespaces=namespaces) as there,
        ):
            found = await differences(Home(embedded, here), Home(remote, there), worlds, namespaces)
        await embedded.aclose()
    await database.aclose()
    if pytestconfig.getoption("--record", False):
        RECORD.write_text(json.dumps(_record(cluster, worlds, len(found), began), indent=1) + "\n")
    assert not found, f"{len(found)} of {count} worlds differ; the smallest:\n{found[0]}"


async def test_the_acme_manifests_resolve_as_lmos_up_resolves_them(
    cluster: Access, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    files = [str(ACME / name) for name in ("manifests", "billing.agent.py", "contract.agent.py")]
    with LmosProcess(
        *("up", "--port", "0", "--data", "data", *(part for file in files for part in ("-f", file))),
        folder=tmp_path,
        settings={"LMOS_NAMESPACE": namespace},
    ) as platform:
        address = platform.ready().removeprefix("http://")
    embedded = _read(run_lmos("get", "all", "-n", namespace, "--data", "data", "-o", "json", folder=tmp_path).stdout)
    # Agents written in Python live in the platform's process; the cluster gets them as the platform declares them.
    local = [_declared(found) for found in embedded if found["spec"].get("endpoint", {}).get("protocol") == "local"]
    assert local

    kubectl("apply", "-f", str(ACME / "manifests"))
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(local))
    async with connect(kubeconfig=str(cluster.kubeconfig())) as client:
        store = KubernetesStore(client)
        async with Manager(store, SystemClock(), namespaces=[namespace], platform_host=address) as operator:
            await operator.settled()
    remote = _read(kubectl("get", "agents,channels,channelroutings,channelrollouts", "-o", "json"))

    assert _by_name(remote) == _by_name(embedded)
    assert sum(found["kind"] == "ChannelRouting" for found in remote) == 5


def _read(listing: str) -> list[Json]:
    return json.loads(listing)["items"]


def _declared(agent: Json) -> Json:
    meta = {name: value for name, value in agent["metadata"].items() if name in ("name", "labels", "annotations")}
    return {"apiVersion": agent["apiVersion"], "kind": agent["kind"], "metadata": meta, "spec": agent["spec"]}


def _by_name(objects: list[Json]) -> dict[str, Json]:
    uids = {found["metadata"]["uid"]: found["metadata"]["name"] for found in objects}
    for found in objects:
        # Where kubectl keeps what it applied last.
        annotations: Json = found["metadata"].get("annotations", {})
        annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None)
        if not annotations:
            found["metadata"].pop("annotations", None)
    return {f"{found['kind']}/{found['metadata']['name']}": normal(found, uids) for found in objects}


def _record(cluster: Access, worlds: Sequence[World], differing: int, began: datetime) -> Json:
    counts = Counter(resource.KIND for world in worlds for resource in world)
    return {
        "worlds": len(worlds),
        "differing": differing,
        "seed": SEED,
        "objects": dict(sorted(counts.items())),
        "date": began.date().isoformat(),
        "seconds": round((datetime.now(UTC) - began).total_seconds()),
        "server": json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"],
        "hypothesis": version("hypothesis"),
    }
