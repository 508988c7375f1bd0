"""The operator's ServiceAccount as the chart makes it, on a real API server: what it may do there, seen as itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.chart import Helm
from tools.testcluster import Access, KubectlFailed

__all__ = ["Account", "Grant", "granting"]

_ACCOUNT: Final = "lmos-operator"
# Without validation, for which kubectl reads CustomResourceDefinitions: the operator may not.
_ASK: Final = ("create", "--validate=false", "-f", "-", "-o", "json")
_KINDS: Final = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")

Right = tuple[str, str]
Grant = Callable[..., "Account"]


@dataclass(frozen=True)
class Account:
    """The ServiceAccount of a release in `namespace`, and a kubeconfig with a token of it."""

    cluster: Access
    namespace: str
    kubeconfig: Path

    def may(self, verb: str, resource: str, *, namespace: str) -> bool:
        """As `kubectl auth can-i` answers. `resource` may be `pods/exec` or `secrets/NAME`."""
        try:
            self.kubectl("auth", "can-i", verb, resource, "--namespace", namespace)
        except KubectlFailed:
            return False
        return True

    def rights(self, namespace: str) -> set[Right]:
        """All that it may do there: verb and `resource.group`, with the only name that this holds for, if any."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        }
        answer = json.loads(self.kubectl(*_ASK, stdin=json.dumps(review)))
        assert answer["status"]["incomplete"] is False
        return {
            (verb, " ".join([f"{resource}.{group}".rstrip("."), *rule.get("resourceNames", [])]))
            for rule in answer["status"]["resourceRules"]
            for verb in rule["verbs"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
        }

    def beside(self, name: str) -> Account:
        """Another ServiceAccount of its namespace, which is made."""
        return Account(self.cluster, self.namespace, self.cluster.service_account(self.namespace, name))

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """kubectl as this account."""
        return self.cluster.kubectl("--kubeconfig", str(self.kubeconfig), *words, stdin=stdin)


@contextmanager
def granting(helm: Helm, cluster: Access, new_namespace: Callable[[], str]) -> Generator[Grant]:
    """Grants what the chart grants with some values, to an account in a fresh namespace; takes it back at the end."""
    applied: list[str] = []

    def grant(values: Mapping[str, Any]) -> Account:
        namespace = new_namespace()
        manifests = helm.render(values, namespace=namespace)
        text = yaml.safe_dump_all(manifests.of(*_KINDS))
        applied.append(text)
        cluster.apply(text)
        return Account(cluster, namespace, cluster.service_account(namespace, _ACCOUNT))

    try:
        yield grant
    finally:
        for text in applied:
            cluster.kubectl("delete", "--wait=false", "-f", "-", stdin=text)
