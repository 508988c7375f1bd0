"""Fixtures of this room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lmos.operator.base import Store
from lmos.resources.crds import crds_yaml
from tests.operator.backends import NAMESPACES, Backend, KubernetesBackend, SimulatedBackend, SqliteBackend
from tests.operator.world import World, open_world
from tools.testcluster import API_SERVER, CONTROLLERS, Binaries, Cluster


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as world:
        yield world


@pytest.fixture(scope="session")
def contract_cluster(programs: Binaries) -> Iterator[Cluster]:
    """An API server with a garbage collector that the contract suites may empty and restart."""
    with Cluster(parts=(*API_SERVER, CONTROLLERS), crds=[crds_yaml()], binaries=programs) as cluster:
        for namespace in NAMESPACES[1:]:
            cluster.kubectl("create", "namespace", namespace)
        yield cluster


@pytest.fixture(
    params=["sqlite", "simulated", pytest.param("kubernetes", marks=[pytest.mark.cluster, pytest.mark.timeout(90)])],
)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    """Each storage that there is, empty."""
    backend: Backend
    if request.param == "sqlite":
        backend = SqliteBackend(tmp_path / "lmos.db")
    elif request.param == "simulated":
        backend = SimulatedBackend()
    else:
        backend = KubernetesBackend(request.getfixturevalue("contract_cluster"))
    yield backend
    await backend.aclose()


@pytest.fixture
async def store(backend: Backend) -> Store:
    return backend.open()
