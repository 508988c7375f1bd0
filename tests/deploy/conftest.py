"""helm, for tests of the chart. Without it they are skipped, saying how to get it; with CI=true they fail."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cluster.plugin import unavailable
from tests.deploy.chart import Helm
from tools.testcluster import Binaries, NoBinaries


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
