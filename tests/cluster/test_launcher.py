"""Clusters that a test has for itself: several at once, broken on purpose, and gone with whoever started them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmos.testing.processes import ChildProcess, ProcessFailed, until
from tests.cluster.plugin import StartCluster
from tests.cluster.processes import alive
from tools.testcluster import API, API_SERVER, ETCD, WHOLE, Access, Binaries, Cluster, KubectlFailed, Role

ROOT = Path(__file__).parents[2]
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {externalIPs: [192.0.2.1], ports: [{port: 80}]}
"""

STARTS_ONE = """\
import json, sys, threading
from tools.testcluster import Cluster

def start():
    cluster = Cluster().__enter__()
    parts = [cluster.part(name).pid for name in {parts!r}]
    print(json.dumps({{"folder": str(cluster.folder), "parts": parts}}), flush=True)

thread = threading.Thread(target=start)
thread.start()
thread.join()  # parts must outlive the thread that asked for them
sys.stdin.read()
"""


def events(cluster: Cluster, version: str) -> list[str]:
    """The types of the events that a watch of ConfigMaps since `version` gets in a second."""
    path = f"{CONFIGMAPS}?watch=1&timeoutSeconds=1&resourceVersion={version}"
    return [json.loads(line)["type"] for line in cluster.kubectl("get", "--raw", path).splitlines()]


@pytest.fixture(scope="module")
def breakable(programs: Binaries) -> Iterator[Cluster]:
    """A cluster for tests that break it and leave it whole."""
    with Cluster(parts=API_SERVER, binaries=programs) as cluster:
        yield cluster


def test_two_clusters_run_beside_each_other(breakable: Cluster, new_cluster: StartCluster) -> None:
    other = new_cluster(parts=API_SERVER)

    breakable.kubectl("create", "configmap", "mine")

    assert breakable.kubectl("get", "configmap/mine", "-o", "name") == "configmap/mine\n"
    with pytest.raises(KubectlFailed, match="NotFound"):
        other.kubectl("get", "configmap/mine")


def test_a_role_of_the_tests_own_is_known_by_its_token(new_cluster: StartCluster) -> None:
    cluster = new_cluster(parts=API_SERVER, roles=[Role("auditor", "ann", ("audit", "finance"))])

    who = json.loads(cluster.kubectl("auth", "whoami", "-o", "json", role="auditor"))["status"]["userInfo"]

    assert who["username"] == "ann"
    assert set(who["groups"]) == {"audit", "finance", "system:authenticated"}


def test_an_unknown_role_is_refused(breakable: Cluster) -> None:
    with pytest.raises(KeyError, match="no role 'king' in this cluster, it has admin, operator, runtime, nobody"):
        breakable.kubeconfig("king")


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "ended in order"])
def test_a_restarted_api_server_has_the_same_address_and_objects(breakable: Cluster, kill: bool) -> None:
    name = f"kept-{kill}".lower()
    breakable.kubectl("create", "configmap", name)

    breakable.restart(API, kill=kill)

    assert breakable.kubectl("get", "configmap", name, "-o", "name") == f"configmap/{name}\n"


def test_flags_given_at_a_restart_hold(breakable: Cluster) -> None:
    breakable.restart(API, flags=["--enable-admission-plugins=DenyServiceExternalIPs"])

    with pytest.raises(KubectlFailed, match="Use of external IPs is denied by admission control"):
        breakable.apply(SERVICE)

    breakable.restart(API, flags=[])
    breakable.apply(SERVICE)


def test_a_watch_from_before_a_compaction_is_expired(breakable: Cluster) -> None:
    version = breakable.raw(CONFIGMAPS)["metadata"]["resourceVersion"]
    breakable.kubectl("create", "configmap", "newer")
    assert events(breakable, version) == ["ADDED"]

    breakable.compact()
    breakable.restart(API)

    assert events(breakable, version) == ["ERROR"]


def test_a_paused_api_server_answers_when_it_goes_on(breakable: Cluster) -> None:
    breakable.part(API).pause()
    with pytest.raises(subprocess.TimeoutExpired):
        breakable.kubectl("get", "namespaces", seconds=0.5)
    breakable.part(API).resume()

    assert "default" in breakable.kubectl("get", "namespaces")


def test_a_part_that_fails_shows_the_end_of_its_log(new_cluster: StartCluster) -> None:
    with pytest.raises(ProcessFailed, match=r"(?s)kube-apiserver ended with 1 .*unknown flag: --colour"):
        new_cluster(parts=API_SERVER, flags={API: ["--colour"]})


def test_etcd_ending_under_a_starting_api_server_is_told(new_cluster: StartCluster) -> None:
    cluster = new_cluster(parts=API_SERVER)
    cluster.part(ETCD).kill()

    with pytest.raises(ProcessFailed, match="etcd ended while kube-apiserver started"):
        cluster.restart(API)


def test_a_cluster_leaves_nothing_behind(programs: Binaries) -> None:
    with Cluster(parts=API_SERVER, binaries=programs) as cluster:
        parts = [cluster.part(name).pid for name in API_SERVER]

    assert not any(alive(pid) for pid in parts)
    assert not cluster.folder.exists()


def test_a_folder_of_ones_own_keeps_the_logs(programs: Binaries, tmp_path: Path) -> None:
    with Cluster(parts=API_SERVER, binaries=programs, folder=tmp_path / "cluster"):
        pass

    assert (tmp_path / "cluster" / "kube-apiserver.err").stat().st_size > 0


def test_a_folder_with_something_in_it_is_refused(new_cluster: StartCluster, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()

    with pytest.raises(FileExistsError, match="is not empty"):
        new_cluster(folder=tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_a_killed_parent_takes_its_cluster_along(cluster: Access, programs: Binaries) -> None:
    code = STARTS_ONE.format(parts=WHOLE)
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        started = json.loads(parent.stdout.readline())
        running = [alive(pid) for pid in started["parts"]]
        parent.kill()

    assert running == [True] * len(WHOLE)
    until(lambda: not any(alive(pid) for pid in started["parts"]), "the end of the parts", seconds=10)
    until(lambda: not Path(started["folder"]).exists(), "the end of their folder", seconds=10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_up_tells_how_to_use_the_cluster_and_stays(programs: Binaries, tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "tools.testcluster", "up", "--no-whole"]
    with ChildProcess(command, folder=tmp_path, cwd=ROOT) as up:
        up.until(lambda: "export PATH=" in up.out, "saying how to use the cluster", seconds=60)
        told = dict(line.removeprefix("export ").split("=", 1) for line in up.out.splitlines() if "export" in line)
        environment = {"KUBECONFIG": told["KUBECONFIG"], "PATH": told["PATH"].replace("$PATH", os.environ["PATH"])}
        agents = subprocess.run(
            ["kubectl", "get", "agents"],
            check=False,
            env=environment | {"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        up.send(number)

        assert up.wait(seconds=20) == 0
    assert agents.stderr == "No resources found in default namespace.\n"
    assert not Path(told["KUBECONFIG"]).exists()
