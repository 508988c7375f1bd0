"""Fixtures for tests on a real Kubernetes API server; every test can use them. Loaded by `tests/conftest.py`.

    def test_an_agent_is_stored(cluster: Access, namespace: str) -> None:
        cluster.apply(AGENT, "-n", namespace)

Whoever uses one is marked `cluster` and may take longer, since the first such test starts the cluster. Without an API
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

from tools.testcluster import WHOLE, Access, Binaries, Cluster, GivenCluster, NoBinaries, definitions
from tools.testcluster.binaries import HOW_TO_GET
from tools.testcluster.recipe import ROLLOUTS, STAGES

__all__ = ["Kubectl", "StartCluster", "unavailable"]

_FIXTURES: Final = frozenset({"api_server", "programs"})
_SECONDS: Final = 90
_GIVE: Final = "LMOS_TEST_CLUSTER"
_NUMBERS: Final = count(os.getpid() * 1000)  # a given cluster may still hold the namespaces of an earlier session


@dataclass(frozen=True)
class _Environment:
    """What the environment said of clusters. The tests' own processes do not see it."""

    kubeconfig: str
    given: bool


_ENVIRONMENT: Final = pytest.StashKey[_Environment]()


class Kubectl(Protocol):
    """kubectl in the test's namespace, as `Access.kubectl`."""

    def __call__(self, *words: str, role: str = ..., stdin: str | None = ...) -> str: ...


class StartCluster(Protocol):
    """Starts a cluster with the options of `Cluster`."""

    def __call__(self, **options: Any) -> Cluster: ...


def pytest_configure(config: pytest.Config) -> None:
    # Away from the environment: the product refuses LMOS_* variables that it does not know, and a command under test
    # must not find somebody's cluster.
    given, kubeconfig = os.environ.pop(_GIVE, ""), os.environ.pop("KUBECONFIG", "")
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
    """A cluster with our CRDs and at least etcd and an API server; it has whatever else the programs at hand can do."""
    environment = request.config.stash[_ENVIRONMENT]
    if environment.given:
        given = GivenCluster(Path(environment.kubeconfig), tmp_path_factory.mktemp("cluster"))
        given.install(definitions())
        yield given
        return
    binaries = _binaries()
    parts = [part for part in WHOLE if not binaries.lacking(_needs(part))]
    with Cluster(parts=parts, crds=definitions(binaries.data), binaries=binaries) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def cluster(api_server: Access) -> Access:
    """A whole cluster: Deployments become available, namespaces go, garbage is collected, Argo's Rollouts are known.

    The whole session shares it: a test that breaks something wants `new_cluster`.
    """
    if isinstance(api_server, Cluster):
        missing = api_server.binaries.lacking([*WHOLE, STAGES, ROLLOUTS])
        if missing:
            unavailable(f"a whole cluster needs {', '.join(missing)} too: {HOW_TO_GET}")
    elif not api_server.kubectl("get", "crd", "rollouts.argoproj.io", "--ignore-not-found"):
        unavailable("the given cluster has no Argo Rollouts: install its CustomResourceDefinitions")
    return api_server


@pytest.fixture(scope="session")
def programs() -> Binaries:
    """The programs of a cluster of one's own."""
    return _binaries()


@pytest.fixture
def new_cluster(programs: Binaries) -> Iterator[StartCluster]:
    """Starts clusters of the test's own, to be broken: `new_cluster(parts=API_SERVER)`. They end with the test."""
    with ExitStack() as stack:

        def start(**options: Any) -> Cluster:
            return stack.enter_context(Cluster(binaries=programs, **options))

        yield start


@pytest.fixture
def new_namespace(api_server: Access, request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Makes fresh namespaces, named after the test; they are deleted after it, which nobody waits for."""
    made: list[str] = []
    word = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].rstrip("-")

    def make() -> str:
        name = f"{word}-{next(_NUMBERS)}"
        api_server.kubectl("create", "namespace", name)
        made.append(name)
        return name

    yield make
    if made:
        api_server.kubectl("delete", "namespace", *made, "--wait=false", "--ignore-not-found")


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


def _needs(part: str) -> list[str]:
    return [part, STAGES] if part == "kwok" else [part]


def _binaries() -> Binaries:
    try:
        return Binaries.found()
    except NoBinaries as error:
        unavailable(str(error))


def unavailable(reason: str) -> NoReturn:
    """CI must not pass by skipping."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"CI needs a cluster: {reason}", pytrace=False)
    pytest.skip(reason)
