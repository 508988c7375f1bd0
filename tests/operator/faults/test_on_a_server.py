"""Some schedules on a real API server, with real processes; `python -m tests.operator.faults --real` has hundreds."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmos.resources.crds import crds_yaml
from tests.operator.faults.real import live_wave
from tools.testcluster import API_SERVER, CONTROLLERS, Binaries, Cluster

pytestmark = [pytest.mark.anyio, pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(400)]


async def test_all_is_well_after_schedules_with_real_processes(programs: Binaries, tmp_path: Path) -> None:
    with Cluster(parts=(*API_SERVER, CONTROLLERS), crds=[crds_yaml()], binaries=programs) as cluster:
        lived = await live_wave(cluster, range(300, 306), tmp_path)
    assert {one.seed: one.wrongs for one in lived if one.wrongs} == {}
    assert all(one.counts for one in lived)
