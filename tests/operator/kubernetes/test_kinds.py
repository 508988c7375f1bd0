"""Where kinds live in the API."""

from __future__ import annotations

import pytest

from lmos.operator.base import ALL_NAMESPACES, StoreError
from lmos.operator.kubernetes.kinds import api_resource


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Agent", "/apis/lmos.eclipse/v1/namespaces/team/agents/a/status"),
        ("channelroutings", "/apis/lmos.eclipse/v1/namespaces/team/channelroutings/a/status"),
        ("Deployment", "/apis/apps/v1/namespaces/team/deployments/a/status"),
        ("Rollout", "/apis/argoproj.io/v1alpha1/namespaces/team/rollouts/a/status"),
        ("Service", "/api/v1/namespaces/team/services/a/status"),
    ],
)
def test_each_kind_has_its_path(kind: str, path: str) -> None:
    assert api_resource(kind).path("team", "a", "status") == path


def test_all_namespaces_have_a_path_of_their_own() -> None:
    assert api_resource("Agent").path(ALL_NAMESPACES) == "/apis/lmos.eclipse/v1/agents"


def test_a_name_never_leads_to_another_path() -> None:
    assert api_resource("Agent").path("team", "a/../b?x#y%").endswith("/agents/a%2F..%2Fb%3Fx%23y%25")
    for name in ("", ".", ".."):
        with pytest.raises(StoreError, match="is no name"):
            api_resource("Agent").path("team", name)


def test_foreign_kinds_are_only_read() -> None:
    for kind in ("Deployment", "Rollout", "Service"):
        assert not api_resource(kind).writable
