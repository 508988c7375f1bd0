"""What the chart lets the operator do: each rule on purpose, and nothing beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.cases import CASES
from tests.deploy.chart import NAMESPACE, Helm, Manifest

GOLDEN: Final[dict[str, dict[str, dict[str, str]]]] = yaml.safe_load(
    (Path(__file__).parent / "rbac.golden.yaml").read_text()
)
_ROLES: Final = ("Role", "ClusterRole")


@pytest.mark.parametrize("case", GOLDEN)
def test_the_roles_are_those_that_somebody_has_agreed_to(helm: Helm, case: str) -> None:
    roles = {_title(role): _rules(role) for role in helm.render(CASES[case]).of(*_ROLES)}
    assert roles == GOLDEN[case]


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_no_rule_has_a_wildcard(helm: Helm, values: dict[str, Any]) -> None:
    for role in helm.render(values).of(*_ROLES):
        for rule in role["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_roles_are_bound_to_the_operators_account_alone(helm: Helm, values: dict[str, Any]) -> None:
    manifests = helm.render(values)
    account = {"kind": "ServiceAccount", "name": "lmos-operator", "namespace": NAMESPACE}
    bindings = manifests.of("RoleBinding", "ClusterRoleBinding")
    assert [binding["subjects"] for binding in bindings] == [[account]] * len(bindings)
    bound = {(binding["roleRef"]["name"], binding["metadata"].get("namespace")) for binding in bindings}
    roles = {(role["metadata"]["name"], role["metadata"].get("namespace")) for role in manifests.of(*_ROLES)}
    # Those that are not bound are added to Kubernetes' own roles by their labels.
    assert {name for name, _ in roles - bound} <= {"lmos-lmos-operator-view", "lmos-lmos-operator-edit"}


def _title(role: Manifest) -> str:
    metadata = role["metadata"]
    return f"{role['kind']} {'/'.join(filter(None, (metadata.get('namespace'), metadata['name'])))}"


def _rules(role: Manifest) -> dict[str, str]:
    """Verbs by resource, written as `resource.group`, with the only name that they hold for, if there is one."""
    return {
        " ".join([f"{resource}.{group}".rstrip("."), *rule.get("resourceNames", [])]): " ".join(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
