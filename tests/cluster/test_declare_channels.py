"""The guide to channels works on a cluster as it is written: its section on Kubernetes runs on a real one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml

from lmos.testing.processes import LMOS
from tests.cluster.guarded import guarding
from tests.cluster.operators import OperatorProcess
from tests.docs.pages import DOCS, Fence, fences
from tests.docs.sandbox import as_shown, commands_of
from tools.testcluster import Access

_PAGE = DOCS / "guides/declare-channels.md"


def test_the_section_on_kubernetes_works_as_it_is_written(api_server: Access, namespace: str, tmp_path: Path) -> None:
    cluster, asking = _line_of("## On Kubernetes"), _line_of("### Let the cluster ask")
    for fence in fences(_PAGE):
        if fence.title is not None:
            (tmp_path / fence.title).write_text(fence.body)
    sections = [fence for fence in fences(_PAGE) if fence.line > cluster and fence.language == "console"]
    words = ("--no-discovery", "--no-leader-elect")
    with OperatorProcess(tmp_path, api_server.kubeconfig(), namespace, *words):
        first = [_follow(fence, api_server, namespace, tmp_path) for fence in sections if fence.line < asking]
    with guarding(api_server, namespace, tmp_path, "deny"):
        second = [_follow(fence, api_server, namespace, tmp_path) for fence in sections if fence.line > asking]
    assert (sum(first), sum(second)) == (7, 3)


def _line_of(heading: str) -> int:
    return _PAGE.read_text().splitlines().index(heading)


def _follow(fence: Fence, cluster: Access, namespace: str, folder: Path) -> int:
    """Run the commands of a fence that are about the cluster; how many."""
    commands = [c for c in commands_of(fence) if "--cluster" in c.line or c.line.startswith("kubectl")]
    for command in commands:
        said = _run(command.line, cluster, namespace, folder).replace(namespace, "acme")
        assert as_shown(command.output, said), f"{fence.place}: {command.line}\n{said}"
    return len(commands)


def _run(line: str, cluster: Access, namespace: str, folder: Path) -> str:
    """What a shell shows whose current context is that of the namespace."""
    programs = folder / "programs"
    if not programs.exists():
        programs.mkdir()
        (programs / "kubectl").symlink_to(cluster.kubectl_program)
        (programs / "lmos").symlink_to(LMOS)
        config = yaml.safe_load(cluster.kubeconfig().read_text())
        for context in config["contexts"]:
            context["context"]["namespace"] = namespace
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "KUBECONFIG": str(folder / "kubeconfig"),
        "KUBECACHEDIR": str(folder / "cache"),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-c", f"{line} 2>&1"],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout
