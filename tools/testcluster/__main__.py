"""`python -m tools.testcluster`: build the programs, start a cluster to play with."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import App, Parameter

from lmos.testing.processes import ProcessFailed
from tools.testcluster.binaries import BadAssets, Binaries, NoBinaries
from tools.testcluster.build import BuildFailed, build
from tools.testcluster.cluster import Cluster
from tools.testcluster.definitions import definitions
from tools.testcluster.parts import API, API_SERVER, WHOLE

__all__: list[str] = []

app = App(name="python -m tools.testcluster", help="A Kubernetes control plane on loopback, for tests.")


@app.command(name="build")
def build_command() -> None:
    """Build everything into the cache, unless it is there. Needs Go; 10 to 20 minutes at first."""
    try:
        print(f"testcluster: ready in {build()}")
    except BuildFailed as error:
        _fail(str(error))


@app.command
def up(
    *,
    directory: Annotated[Path | None, Parameter(name="--dir")] = None,
    whole: bool = True,
    crds: bool = True,
    nodes: int = 1,
    api_flag: Annotated[list[str] | None, Parameter(negative=())] = None,
) -> None:
    """Start a cluster and keep it until Ctrl-C.

    Parameters
    ----------
    directory
        New or empty folder for its data, logs and kubeconfigs, which is kept. Else a temporary one.
    whole
        With controllers, scheduler and kwok; `--no-whole` is etcd and the API server alone.
    crds
        With the CustomResourceDefinitions of LMOS, and of Argo Rollouts where they were built.
    nodes
        How many nodes kwok plays.
    api_flag
        Flag for the API server, as `--api-flag=--v=4`; may be repeated.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    start = time.monotonic()
    try:
        binaries = Binaries.found()
        with Cluster(
            parts=WHOLE if whole else API_SERVER,
            crds=definitions(binaries.data) if crds else [],
            nodes=nodes,
            flags={API: api_flag or []},
            folder=directory,
            binaries=binaries,
        ) as cluster:
            print(_welcome(cluster, time.monotonic() - start), flush=True)
            while True:
                time.sleep(0.2)
                cluster.check()
    except KeyboardInterrupt:
        pass
    except (BadAssets, NoBinaries, ProcessFailed, FileExistsError) as error:
        _fail(str(error))


def _welcome(cluster: Cluster, seconds: float) -> str:
    path = os.pathsep.join(str(folder) for folder in cluster.binaries.folders)
    return f"""\
Ready in {seconds:.1f} s at {cluster.url}; Ctrl-C ends it.
Kubeconfigs of the roles: {cluster.folder}/{{{",".join(cluster.roles)}}}.kubeconfig

export KUBECONFIG={cluster.kubeconfig()}
export PATH={path}:$PATH"""


def _fail(reason: str) -> NoReturn:
    print(f"testcluster: {reason}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    app()
