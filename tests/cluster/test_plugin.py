"""What the environment says of clusters, and what the fixtures make of it: runs of pytest on small test files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.testcluster import Access, Binaries

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "pyproject.toml"

USES_A_CLUSTER = """\
def test_names(api_server, kubectl):
    print("served by", api_server.kubeconfig())
    assert "default" in kubectl("get", "namespaces")
"""
USES_A_WHOLE_CLUSTER = "def test_cluster(cluster):\n    pass\n"
SEES_THE_ENVIRONMENT = """\
import os
from lmos.settings import Settings

def test_environment():
    Settings.load()
    assert "KUBECONFIG" not in os.environ
"""


class Run:
    """The outcome of pytest on one file."""

    def __init__(self, folder: Path, text: str, *options: str, **environment: str) -> None:
        file = folder / "test_it.py"
        file.write_text(text)
        given = {name: value for name, value in os.environ.items() if name not in ("CI", "KUBEBUILDER_ASSETS")}
        command = [sys.executable, "-m", "pytest", "-p", "tests.cluster.plugin", "-rs", "-s", f"--config-file={CONFIG}"]
        self.done = subprocess.run(
            [*command, *options, str(file)],
            check=False,
            cwd=ROOT,
            env=given | environment,
            capture_output=True,
            text=True,
        )

    @property
    def out(self) -> str:
        return self.done.stdout + self.done.stderr


def test_without_programs_a_test_is_skipped_and_says_how_to_get_them(tmp_path: Path) -> None:
    run = Run(tmp_path, USES_A_CLUSTER, XDG_CACHE_HOME=str(tmp_path))

    assert run.done.returncode == 0
    assert "1 skipped" in run.out
    assert "run `make testcluster`" in run.out


def test_in_ci_a_test_without_programs_fails(tmp_path: Path) -> None:
    run = Run(tmp_path, USES_A_CLUSTER, XDG_CACHE_HOME=str(tmp_path), CI="true")

    assert run.done.returncode == 1
    assert "CI needs a cluster: no control plane to start: run `make testcluster`" in run.out


def test_a_wrong_folder_of_programs_is_an_error_and_no_skip(tmp_path: Path) -> None:
    run = Run(tmp_path, USES_A_CLUSTER, KUBEBUILDER_ASSETS=str(tmp_path))

    assert run.done.returncode == 1
    assert f"KUBEBUILDER_ASSETS={tmp_path}: no etcd, kube-apiserver, kubectl there" in run.out


def test_envtests_programs_serve_tests_that_need_no_more(programs: Binaries, tmp_path: Path) -> None:
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (tmp_path / name).symlink_to(programs.program(name).resolve())
    environment = {"KUBEBUILDER_ASSETS": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}

    run = Run(tmp_path, USES_A_CLUSTER + USES_A_WHOLE_CLUSTER, **environment)

    assert "1 passed, 1 skipped" in run.out
    assert "a whole cluster needs kube-controller-manager, kube-scheduler, kwok, stages.yaml, rollouts.yaml" in run.out


def test_a_given_cluster_is_used(cluster: Access, tmp_path: Path) -> None:
    kubeconfig = str(cluster.kubeconfig())

    run = Run(tmp_path, USES_A_CLUSTER, LMOS_TEST_CLUSTER="1", KUBECONFIG=kubeconfig)

    assert "1 passed" in run.out
    assert f"served by {kubeconfig}" in run.out


def test_a_given_cluster_knows_the_roles(cluster: Access, tmp_path: Path) -> None:
    text = """\
def test_role(cluster):
    user = cluster.kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}", role="operator")
    assert user == "system:serviceaccount:lmos:lmos-operator"
"""
    run = Run(tmp_path, text, LMOS_TEST_CLUSTER="1", KUBECONFIG=str(cluster.kubeconfig()))

    assert "1 passed" in run.out


def test_a_kubeconfig_alone_is_left_alone(cluster: Access, tmp_path: Path) -> None:
    kubeconfig = str(cluster.kubeconfig())

    run = Run(tmp_path, USES_A_CLUSTER, KUBECONFIG=kubeconfig, XDG_CACHE_HOME=str(tmp_path))

    assert "1 skipped" in run.out


def test_the_tests_do_not_see_the_variables(tmp_path: Path) -> None:
    run = Run(tmp_path, SEES_THE_ENVIRONMENT, LMOS_TEST_CLUSTER="1", KUBECONFIG=str(tmp_path / "prod"))

    assert "1 passed" in run.out


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"LMOS_TEST_CLUSTER": "yes"}, "LMOS_TEST_CLUSTER=yes: write 1 to test on the cluster of KUBECONFIG"),
        ({"LMOS_TEST_CLUSTER": "1"}, "LMOS_TEST_CLUSTER=1 means the cluster of KUBECONFIG, which is not set"),
    ],
    ids=["no 1", "no kubeconfig"],
)
def test_a_half_given_cluster_is_refused(tmp_path: Path, environment: dict[str, str], reason: str) -> None:
    run = Run(tmp_path, USES_A_CLUSTER, **environment)

    assert run.done.returncode == pytest.ExitCode.USAGE_ERROR
    assert reason in run.out


def test_tests_on_a_cluster_are_marked(tmp_path: Path) -> None:
    run = Run(tmp_path, USES_A_CLUSTER, "-m", "not cluster")

    assert "1 deselected" in run.out
