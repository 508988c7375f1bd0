"""Which place the options and the environment mean: a data folder or a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmos.cli.cluster import Cluster
from lmos.cli.errors import CommandError
from lmos.cli.folder import Folder
from lmos.cli.where import Where
from lmos.cli.workspace import Workspace

CONTEXT = {"LMOS_CONTEXT": "prod"}
KUBECONFIG = {"LMOS_KUBECONFIG": "/etc/kube"}


@pytest.mark.parametrize(
    ("where", "environ", "expected"),
    [
        (Where(), {}, Folder(Path(".lmos"))),
        (Where(data=Path("x")), {}, Folder(Path("x"))),
        (Where(), {"LMOS_DATA": "y"}, Folder(Path("y"))),
        (Where(data=Path("x")), {"LMOS_DATA": "y"}, Folder(Path("x"))),
        (Where(cluster=True), {}, Cluster()),
        (Where(context="dev"), {}, Cluster(context="dev")),
        (Where(kubeconfig="k"), {}, Cluster(kubeconfig="k")),
        (Where(), CONTEXT, Cluster(context="prod")),
        (Where(), KUBECONFIG, Cluster(kubeconfig="/etc/kube")),
        (Where(), {"LMOS_CONTEXT": ""}, Folder(Path(".lmos"))),
        (Where(context="dev"), CONTEXT | KUBECONFIG, Cluster(kubeconfig="/etc/kube", context="dev")),
        (Where(cluster=True), {"LMOS_DATA": "y"}, Cluster()),
        (Where(data=Path("x")), CONTEXT, Folder(Path("x"))),
        (Where(), {"KUBECONFIG": "/etc/kube"}, Folder(Path(".lmos"))),
    ],
)
def test_the_command_line_goes_before_the_environment(
    where: Where, environ: dict[str, str], expected: Workspace
) -> None:
    assert where.workspace(environ) == expected


@pytest.mark.parametrize("where", [Where(cluster=True), Where(context="a"), Where(kubeconfig="b")])
def test_a_folder_and_a_cluster_cannot_both_be_meant(where: Where) -> None:
    both = Where(data=Path("x"), cluster=where.cluster, context=where.context, kubeconfig=where.kubeconfig)
    with pytest.raises(CommandError, match=r"--data and --(cluster|context|kubeconfig) exclude each other"):
        both.workspace({})


@pytest.mark.parametrize("environ", [CONTEXT, KUBECONFIG])
def test_an_environment_that_names_both_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(CommandError, match=r"LMOS_DATA\) and a cluster \(LMOS_") as refused:
        Where().workspace(environ | {"LMOS_DATA": "x"})
    assert refused.value.fix == "write --data or --cluster, or unset one of them"
