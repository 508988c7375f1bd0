"""ChannelRoutings and the real garbage collector: they go with their Channel, and come back when they go alone."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from lmos.testing.processes import until
from tests.cluster.operators import OperatorProcess, agent_manifest, channel_manifest
from tests.cluster.plugin import Kubectl
from tools.testcluster import Access

CHANNEL = channel_manifest("web", "bill")

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def operator(cluster: Access, namespace: str, kubectl: Kubectl, tmp_path: Path) -> Generator[OperatorProcess]:
    """One that leads, with a resolved Channel."""
    with OperatorProcess(tmp_path, cluster.kubeconfig(), namespace, "--no-discovery") as operator:
        kubectl("apply", "-f", "-", stdin=f"{agent_manifest('billing', 'bill')}---\n{CHANNEL}")
        kubectl("wait", "channel/web", "--for=condition=Resolved", "--timeout=20s")
        yield operator


def found(kubectl: Kubectl, what: str) -> Json | None:
    text = kubectl("get", what, "--ignore-not-found", "-o", "json")
    return json.loads(text) if text else None


def uid(kubectl: Kubectl, what: str) -> str | None:
    thing = found(kubectl, what)
    return None if thing is None else thing["metadata"]["uid"]


def owners(kubectl: Kubectl) -> list[Json] | None:
    routing = found(kubectl, "channelrouting/web")
    return None if routing is None else routing["metadata"].get("ownerReferences", [])


def test_a_routing_names_its_channel_as_the_controller_that_waits_for_it(kubectl: Kubectl) -> None:
    assert owners(kubectl) == [
        {
            "apiVersion": "lmos.eclipse/v1",
            "kind": "Channel",
            "name": "web",
            "uid": uid(kubectl, "channel/web"),
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_a_routing_goes_with_its_channel_and_stays_away(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl("delete", "channel/web")

    until(lambda: found(kubectl, "channelrouting/web") is None, "the routing to be collected")

    until(lambda: operator.metric("lmos_cache_objects", kind="ChannelRouting") == 0, "the operator to know")
    assert found(kubectl, "channelrouting/web") is None
    assert operator.metric("lmos_operator_reconcile_errors_total") == 0


def test_a_channel_that_is_deleted_in_the_foreground_waits_for_its_routing(kubectl: Kubectl) -> None:
    kubectl("patch", "channelrouting/web", "--type=merge", "-p", '{"metadata": {"finalizers": ["lmos.example/wait"]}}')
    kubectl("delete", "channel/web", "--cascade=foreground", "--wait=false")

    until(lambda: "deletionTimestamp" in (found(kubectl, "channelrouting/web") or {})["metadata"], "its deletion")
    assert found(kubectl, "channel/web") is not None

    kubectl("patch", "channelrouting/web", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    until(lambda: found(kubectl, "channel/web") is None, "the Channel to follow")
    assert found(kubectl, "channelrouting/web") is None


def test_a_routing_that_is_deleted_alone_comes_back(kubectl: Kubectl) -> None:
    before = found(kubectl, "channelrouting/web")
    assert before is not None
    kubectl("delete", "channelrouting/web")

    until(lambda: uid(kubectl, "channelrouting/web") not in (None, before["metadata"]["uid"]), "another routing")

    after = found(kubectl, "channelrouting/web")
    assert after is not None
    assert after["spec"] == before["spec"]
    assert after["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]


def test_a_routing_that_somebody_changes_is_put_right(kubectl: Kubectl) -> None:
    before = found(kubectl, "channelrouting/web")
    assert before is not None
    kubectl("patch", "channelrouting/web", "--type=merge", "-p", '{"spec": {"capabilityGroups": []}}')

    until(lambda: (found(kubectl, "channelrouting/web") or {})["spec"] == before["spec"], "the old spec")


def test_a_channel_that_is_created_again_at_once_has_a_routing_of_its_own(kubectl: Kubectl) -> None:
    for _ in range(3):
        kubectl("delete", "channel/web")
        kubectl("apply", "-f", "-", stdin=CHANNEL)

    def settled() -> bool:
        owned = owners(kubectl)
        return owned is not None and [owner["uid"] for owner in owned] == [uid(kubectl, "channel/web")]

    until(settled, "a routing of the new Channel")
    kubectl("wait", "channel/web", "--for=condition=Resolved", "--timeout=10s")


def test_a_routing_that_was_orphaned_is_taken_over_by_a_new_channel(kubectl: Kubectl) -> None:
    before = uid(kubectl, "channelrouting/web")
    kubectl("delete", "channel/web", "--cascade=orphan")
    until(lambda: owners(kubectl) == [], "the routing to be left without owner")

    kubectl("apply", "-f", "-", stdin=CHANNEL)

    until(
        lambda: [owner["uid"] for owner in owners(kubectl) or []] == [uid(kubectl, "channel/web")],
        "the new Channel to own it",
    )
    assert uid(kubectl, "channelrouting/web") == before
