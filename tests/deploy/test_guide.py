"""The guide to Kubernetes works as it is written: its commands run on a whole cluster, whose pods kwok plays.

kwok's pods run nothing, so the operator that works there is a process beside it, as its pod would run it.
"""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from lmos.operator import reasons
from tests.deploy.chart import CHART, NAMESPACE, Helm, Manifests
from tests.deploy.pod import Pod
from tests.deploy.values import values_of
from tests.docs.pages import DOCS, ROOT, fences, rows, spans_in
from tests.docs.sandbox import as_shown, commands_of
from tools.testcluster import Cluster

_PAGE = DOCS / "guides/kubernetes.md"
_TELEMETRY = (DOCS / "reference/telemetry.md").read_text()
_INSTALLS, _UNINSTALLS = "helm install ", "helm uninstall "


@pytest.mark.timeout(180)
def test_the_guide_works_as_it_is_written(helm: Helm, fresh_cluster: Cluster, tmp_path: Path) -> None:
    shell = _Shell(helm, fresh_cluster, tmp_path)
    done: list[str] = []
    with ExitStack() as operator:
        for fence in fences(_PAGE):
            if fence.title is not None:
                (shell.folder / fence.title).write_text(fence.body)
            for command in commands_of(fence) if fence.language == "console" else ():
                if command.line.startswith(_UNINSTALLS):
                    operator.close()
                said = shell.run(command.line)
                assert not command.output or as_shown(command.output, said), f"{fence.place}: {command.line}\n{said}"
                if command.line.startswith(_INSTALLS):
                    operator.enter_context(_operator(fresh_cluster, tmp_path))
                done.append(command.line.split()[0])
    assert {"helm", "kubectl"} <= set(done)


def test_the_guide_names_values_that_the_chart_has() -> None:
    text = (CHART / "values.yaml").read_text()
    known = {path for value in values_of(text) for path in _and_above(value.path)}
    named = [span.split(":")[0].split("=")[0] for span in spans_in(_PAGE.read_text())]
    values = {name for name in named if re.fullmatch(r"(operator|runtime|rbac|serviceMonitor|logging)\.[\w.]+", name)}
    assert values - known == set()


def test_the_guide_names_metrics_and_reasons_that_exist() -> None:
    spans = spans_in(_PAGE.read_text())
    assert [name for name in spans if re.fullmatch(r"[a-z]+(_[a-z]+)+", name) and name not in _TELEMETRY] == []
    known = {value for name, value in vars(reasons).items() if name.isupper()}
    table = [cells[0].strip("`") for cells in rows(_PAGE.read_text()) if re.fullmatch(r"`[A-Z]\w+`", cells[0])]
    assert table
    assert set(table) - known == set()


def _and_above(path: str) -> list[str]:
    names = path.split(".")
    return [".".join(names[: count + 1]) for count in range(len(names))]


class _Shell:
    """A shell in a folder with the chart, whose kubectl and helm talk to the cluster."""

    def __init__(self, helm: Helm, cluster: Cluster, folder: Path) -> None:
        self.folder = folder / "guide"
        self.folder.mkdir()
        (self.folder / "deploy").symlink_to(ROOT / "deploy")
        programs = folder / "programs"
        programs.mkdir()
        (programs / "helm").symlink_to(helm.program)
        (programs / "kubectl").symlink_to(cluster.kubectl_program)
        self._environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "KUBECONFIG": str(cluster.kubeconfig()),
            "KUBECACHEDIR": str(folder / "kubectl"),
            "HELM_CACHE_HOME": str(folder / "cache"),
            "HELM_CONFIG_HOME": str(folder / "config"),
            "HELM_DATA_HOME": str(folder / "data"),
        }

    def run(self, line: str) -> str:
        """What the line prints. Raises `CalledProcessError`."""
        command = ["bash", "-euo", "pipefail", "-c", line]
        done = subprocess.run(
            command, check=False, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout


def _operator(cluster: Cluster, folder: Path) -> Pod:
    deployed = cluster.kubectl("get", "deployment/lmos-operator", "-n", NAMESPACE, "-o", "yaml")
    account = cluster.service_account(NAMESPACE, "lmos-operator")
    pod = Pod(Manifests(deployed), "lmos-operator", folder, {"LMOS_KUBECONFIG": str(account)})
    pod.until_ready()
    return pod
