"""A real API server takes what the chart renders: strictly, and under the restricted pod security standard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from tests.deploy.cases import CASES
from tests.deploy.chart import Helm, Manifest, pod_specs
from tools.testcluster import Access, KubectlFailed

_STRICT: Final = ("apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")


@pytest.fixture(scope="module")
def namespaces(cluster: Access) -> Iterator[None]:
    """The namespaces that the cases name."""
    names = ["acme", "globex", "lmos"]
    for name in names:
        cluster.apply(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}")
    yield
    cluster.kubectl("delete", "namespace", "acme", "globex", "--wait=false")


@pytest.fixture(scope="module")
def restricted(cluster: Access) -> Iterator[str]:
    """A namespace that takes only pods of the restricted standard."""
    name = "restricted"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    cluster.kubectl("wait", "-n", name, "--for=create", "serviceaccount/default", "--timeout=20s")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_the_api_server_takes_every_manifest(helm: Helm, cluster: Access, values: dict[str, Any]) -> None:
    manifests = helm.render(values)
    said = cluster.kubectl(*_STRICT, stdin=manifests.text)
    assert len(said.splitlines()) == len(list(manifests))


def test_a_field_that_does_not_exist_would_be_noticed(helm: Helm, cluster: Access) -> None:
    text = helm.render().text.replace("readOnlyRootFilesystem", "readOnlyRootFileSystem")
    with pytest.raises(KubectlFailed, match=r"unknown field .*readOnlyRootFileSystem"):
        cluster.kubectl(*_STRICT, stdin=text)


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_pods_are_admitted_where_the_restricted_standard_is_enforced(
    helm: Helm, cluster: Access, restricted: str, values: dict[str, Any]
) -> None:
    for name, spec in pod_specs(helm.render(values)):
        assert _create_pod(cluster, restricted, name, spec) == f"pod/{name} created (server dry run)\n"


def test_a_pod_that_may_be_root_would_be_refused(helm: Helm, cluster: Access, restricted: str) -> None:
    values = {"operator": {"podSecurityContext": {"runAsNonRoot": False}}}
    name, spec = next(pod_specs(helm.render(values)))
    with pytest.raises(KubectlFailed, match="violates PodSecurity"):
        _create_pod(cluster, restricted, name, spec)


def _create_pod(cluster: Access, namespace: str, name: str, spec: Manifest) -> str:
    """Would a pod with this spec be created? With the namespace's own ServiceAccount, which is there."""
    account = {"serviceAccountName": "default"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec | account}
    return cluster.kubectl("create", "-n", namespace, "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod))
