"""Fixtures for tests on a real Kubernetes API server; every test can use them. Loaded by `tests/conftest.py`.

    def test_an_agent_is_stored(cluster: Access, namespace: str) -> None:
        cluster.apply(AGENT, "-n", namespace)

Whoever uses one is marked `cluster` and may take a minute, since the first such test starts the cluster. Without an API
server these tests are skipped, saying how to get one; with CI=true they fail.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol

import pytest

from lmos.resources.crds import crds_yaml
from tools.testcluster import WHOLE, Access, Binaries, Cluster, NoBinaries
from tools.testcluster.given import GivenCluster

__all__ = ["Kubectl"]

_FIXTURES: Final = frozenset({"api_server", "new_cluster"})
_SECONDS: Final = 90
_GIVE: Final = "LMOS_TEST_CLUSTER"


@dataclass(frozen=True)
class _Environment:
    """What the environment says of clusters. The tests' own processes do not see it."""

    kubeconfig: str | None
    given: bool


_ENVIRONMENT: Final = pytest.StashKey[_Environment]()


class Kubectl(Protocol):
    """kubectl in the test's namespace, as `Access.kubectl`."""

    def __call__(self, *words: str, role: str = ..., stdin: str | None = ...) -> str: ...


def pytest_configure(config: pytest.Config) -> None:
    # Away from the environment: the product refuses LMOS_* variables that it does not know, and a command under test
    # must not find somebody's cluster.
    given, kubeconfig = os.environ.pop(_GIVE, ""), os.environ.pop("KUBECONFIG", None)
    if given not in ("", "0", "1"):
        raise pytest.UsageError(f"{_GIVE}={given}: write 1 to test on the cluster of KUBECONFIG, or unset it")
    if given == "1" and not kubeconfig:
        raise pytest.UsageError(f"{_GIVE}=1 means the cluster of KUBECONFIG, which is not set")
    config.stash[_ENVIRONMENT] = _Environment(kubeconfig, given == "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.cluster)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(_SECONDS))


@pytest.fixture(scope="session")
def api_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    """A cluster with our CRDs and at least etcd and an API server: all that the programs at hand can do."""
    environment = request.config.stash[_ENVIRONMENT]
    if environment.given:
        given = GivenCluster(Path(environment.kubeconfig or ""), tmp_path_factory.mktemp("cluster"))
        given.install([crds_yaml()])
        yield given
        return
    binaries = _binaries()
    parts = [part for part in WHOLE if binaries.has(part)]
    with Cluster(parts=parts, crds=_crds(binaries), binaries=binaries) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def cluster(api_server: Access) -> Access:
    """A whole cluster: Deployments become available, namespaces go, garbage is collected. Shared by the session."""
    if isinstance(api_server, Cluster):
        missing = [part for part in WHOLE if not api_server.binaries.has(part)]
        if missing:
            _unavailable(f"no {', '.join(missing)} in {api_server.binaries.folders[0]}: run `make testcluster`")
    return api_server


@pytest.fixture
def new_cluster() -> Iterator[Callable[..., Cluster]]:
    """Starts clusters of the test's own, to be broken: `new_cluster(parts=API_SERVER)`. They end with the test."""
    binaries = _binaries()
    with ExitStack() as stack:

        def start(**options: Any) -> Cluster:
            return stack.enter_context(Cluster(binaries=binaries, **options))

        yield start


@pytest.fixture
def new_namespace(api_server: Access, request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Makes fresh namespaces, named after the test; they go after it, which nobody waits for."""
    made: list[str] = []
    word = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].rstrip("-")

    def make() -> str:
        name = f"{word}-{next(_NUMBERS)}"
        api_server.kubectl("create", "namespace", name)
        made.append(name)
        return name

    yield make
    if made:
        api_server.kubectl("delete", "namespace", *made, "--wait=false")


@pytest.fixture
def namespace(new_namespace: Callable[[], str]) -> str:
    """A fresh namespace."""
    return new_namespace()


@pytest.fixture
def kubectl(api_server: Access, namespace: str) -> Kubectl:
    """kubectl in the test's namespace: `kubectl("get", "agents")`."""

    def run(*words: str, role: str = "admin", stdin: str | None = None) -> str:
        return api_server.kubectl("--namespace", namespace, *words, role=role, stdin=stdin)

    return run


_NUMBERS: Final = count(os.getpid() * 1000)  # a given cluster may still hold the namespaces of an earlier session


def _binaries() -> Binaries:
    try:
        return Binaries.found()
    except NoBinaries as error:
        _unavailable(str(error))


def _crds(binaries: Binaries) -> list[str]:
    foreign = binaries.data / "rollouts.yaml"
    return [crds_yaml(), *([foreign.read_text()] if foreign.is_file() else [])]


def _unavailable(reason: str) -> NoReturn:
    """CI must not pass by skipping."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"CI needs a cluster: {reason}", pytrace=False)
    pytest.skip(reason)
