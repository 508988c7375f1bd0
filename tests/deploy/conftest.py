"""helm and clusters for tests of the chart. Without them tests are skipped, saying how to get them; CI fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.plugin import unavailable
from tests.deploy.chart import Helm
from tests.deploy.granting import Grant, granting
from tools.testcluster import CONTROLLERS, Access, Binaries, Cluster, NoBinaries

# Among them one that binds claims to volumes.
_CONTROLLERS: Final = (
    "deployment-controller,replicaset-controller,disruption-controller,endpointslice-controller,namespace-controller,"
    "serviceaccount-controller,garbage-collector-controller,persistentvolume-binder-controller,"
    "persistentvolumeclaim-protection-controller"
)
_VOLUME: Final = """\
apiVersion: v1
kind: PersistentVolume
metadata: {{name: turn-log-{0}}}
spec:
  capacity: {{storage: 8Gi}}
  accessModes: [ReadWriteOnce]
  hostPath: {{path: /nowhere}}
"""


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """The helm of the test cluster's programs, else the one on the path."""
    try:
        program = Binaries.found().program("helm")
    except NoBinaries as error:
        on_path = shutil.which("helm")
        if on_path is None:
            unavailable(str(error))
        program = Path(on_path)
    return Helm(program, tmp_path_factory.mktemp("helm"))


@pytest.fixture
def grant(helm: Helm, cluster: Access, new_namespace: Callable[[], str]) -> Iterator[Grant]:
    """Grants what the chart grants with some values: `account = grant({...})`."""
    with granting(helm, cluster, new_namespace) as grants:
        yield grants


@pytest.fixture(scope="module")
def fresh_cluster(programs: Binaries) -> Iterator[Cluster]:
    """A cluster that knows nothing of LMOS, with volumes for some turn logs."""
    with Cluster(binaries=programs, flags={CONTROLLERS: [f"--controllers={_CONTROLLERS}"]}) as cluster:
        cluster.apply("---\n".join(_VOLUME.format(number) for number in range(12)))
        yield cluster
