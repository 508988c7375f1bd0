"""helm, for tests of the chart. Without it they are skipped, saying how to get it; with CI=true they fail."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.plugin import unavailable
from tests.deploy.chart import Helm
from tests.deploy.granting import Grant, granting
from tools.testcluster import Access, Binaries, NoBinaries


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
