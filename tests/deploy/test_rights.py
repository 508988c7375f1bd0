"""What the operator's ServiceAccount may do on a real API server, and what it may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests.deploy.cases import CASES
from tests.deploy.granting import Account, Grant
from tests.deploy.test_rbac import GOLDEN
from tools.testcluster import Access, KubectlFailed

_FORBIDDEN: Final = (
    ("get", "secrets"),
    ("list", "secrets"),
    ("get", "configmaps"),
    ("get", "pods"),
    ("create", "pods"),
    ("create", "pods/exec"),
    ("get", "pods/log"),
    ("create", "serviceaccounts/token"),
    ("create", "deployments.apps"),
    ("update", "deployments.apps"),
    ("patch", "deployments.apps"),
    ("delete", "deployments.apps"),
    ("patch", "deployments.apps/scale"),
    ("patch", "services"),
    ("list", "rollouts.argoproj.io"),
    ("patch", "channels.lmos.eclipse"),
    ("delete", "channels.lmos.eclipse"),
    ("create", "channels.lmos.eclipse"),
    ("get", "channelrollouts.lmos.eclipse"),
    ("create", "roles.rbac.authorization.k8s.io"),
    ("create", "rolebindings.rbac.authorization.k8s.io"),
    ("bind", "clusterroles.rbac.authorization.k8s.io"),
    ("impersonate", "users"),
    ("get", "customresourcedefinitions.apiextensions.k8s.io"),
    ("patch", "customresourcedefinitions.apiextensions.k8s.io"),
    ("delete", "customresourcedefinitions.apiextensions.k8s.io"),
    ("patch", "validatingwebhookconfigurations.admissionregistration.k8s.io"),
    ("list", "namespaces"),
    ("get", "nodes"),
    ("list", "leases.coordination.k8s.io"),
    ("update", "leases.coordination.k8s.io/another"),
    ("delete", "leases.coordination.k8s.io/lmos-operator"),
    ("*", "*"),
)


@pytest.fixture
def account(grant: Grant) -> Account:
    """The account of a release with the chart's defaults."""
    return grant({})


def test_it_may_do_what_its_roles_say_and_nothing_else(account: Account, new_namespace: Callable[[], str]) -> None:
    elsewhere = new_namespace()
    granted = _rights("defaults", "ClusterRole lmos-lmos-operator")
    assert _own_rights(account, elsewhere) == granted
    assert _own_rights(account, account.namespace) == granted | _rights("defaults", "Role lmos/lmos-operator-lease")


def test_it_may_not_do_what_an_intruder_would_like(account: Account) -> None:
    assert [asked for asked in _FORBIDDEN if account.may(*asked, namespace=account.namespace)] == []


def test_it_may_do_nothing_in_namespaces_that_it_does_not_watch(grant: Grant, new_namespace: Callable[[], str]) -> None:
    watched, other = new_namespace(), new_namespace()
    account = grant({"operator": {"clientNamespaces": [watched]}})
    assert _own_rights(account, watched) == _rights("two namespaces", "Role acme/lmos-lmos-operator")
    assert _own_rights(account, other) == set()


def test_argo_rollouts_are_readable_if_asked_for(grant: Grant) -> None:
    account = grant(CASES["argo"])
    assert account.may("list", "rollouts.argoproj.io", namespace="default")
    assert not account.may("patch", "rollouts.argoproj.io", namespace="default")


@pytest.mark.parametrize("role", ["edit", "admin"])
def test_whoever_may_edit_a_namespace_may_write_agents_and_channels_there(
    grant: Grant, cluster: Access, namespace: str, role: str
) -> None:
    grant({})
    may = _People(cluster, namespace, role)
    assert may("create", "agents.lmos.eclipse")
    assert may("delete", "channels.lmos.eclipse")
    assert may("get", "channelroutings.lmos.eclipse")
    assert not may("patch", "channelroutings.lmos.eclipse")
    assert not may("patch", "channels.lmos.eclipse", "--subresource=status")


def test_whoever_may_view_a_namespace_may_read_all_four_kinds_there(
    grant: Grant, cluster: Access, namespace: str
) -> None:
    grant({})
    may = _People(cluster, namespace, "view")
    for kind in ("agents", "channels", "channelroutings", "channelrollouts"):
        assert may("list", f"{kind}.lmos.eclipse")
        assert not may("patch", f"{kind}.lmos.eclipse")


class _People:
    """Asks for somebody with a role of Kubernetes in one namespace."""

    def __init__(self, cluster: Access, namespace: str, role: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        cluster.kubectl("create", "rolebinding", role, f"--clusterrole={role}", "--user=jane", "-n", namespace)
        # A controller adds the chart's rules to the role.
        self._cluster.kubectl(
            "wait",
            f"clusterrole/{role}",
            "--for=jsonpath={.rules[?(@.resources[0]=='channelroutings')].resources[0]}=channelroutings",
            "--timeout=20s",
        )

    def __call__(self, verb: str, resource: str, *words: str) -> bool:
        try:
            self._cluster.kubectl("auth", "can-i", verb, resource, *words, "--as=jane", "-n", self._namespace)
        except KubectlFailed:
            return False
        return True


def _rights(case: str, role: str) -> set[tuple[str, str]]:
    return {(verb, about) for about, verbs in GOLDEN[case][role].items() for verb in verbs.split()}


def _own_rights(account: Account, namespace: str) -> set[tuple[str, str]]:
    """Its rights there, without those that every ServiceAccount has."""
    return account.rights(namespace) - account.beside("nobody").rights(namespace)
