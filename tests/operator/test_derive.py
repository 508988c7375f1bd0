"""ChannelRouting and status as they go on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from inline_snapshot import snapshot

from lmos.operator import reasons
from lmos.operator.derive import MAX_STATUS_NEAR_MISSES, routing_for, status_for
from lmos.operator.resolver import resolve
from lmos.resources.agent import Endpoint
from lmos.resources.base import ObjectMeta
from lmos.resources.channel import Channel, ChannelSpec, ChannelStatus, RequiredCapability, ResolveStatus
from lmos.resources.rules import RoutingRules
from tests.operator.builders import LABELS, agent, channel

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 13, tzinfo=UTC)


def _stored(wanted: Channel, status: ChannelStatus | None = None) -> Channel:
    stored = wanted.with_meta(uid="channel-uid", generation=3, resource_version="7")
    return stored.model_copy(update={"status": status})


def _wire(status: ChannelStatus) -> dict[str, Any]:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def test_a_routing_names_groups_capabilities_and_its_owner() -> None:
    wanted = _stored(channel(("bill", "^1.0.0"), ("ticket", "*"), ("contract", ">=2")))
    agents = [
        agent("billing", ("bill", "1.4.0"), ("contract", "2.0.0")),
        agent("support", ("ticket", "0.3.0"), endpoint=Endpoint(url="https://support.example")),
    ]
    routing = routing_for(wanted, resolve(wanted, agents), platform_host=None)
    assert routing.to_wire() == snapshot(
        {
            "apiVersion": "lmos.eclipse/v1",
            "metadata": {
                "name": "acme-web",
                "namespace": "default",
                "labels": {"channel": "web", "tenant": "acme", "version": "1.0.0", "subset": "stable"},
                "annotations": {"lmos.eclipse/agents": "billing,support"},
                "ownerReferences": [
                    {
                        "apiVersion": "lmos.eclipse/v1",
                        "kind": "Channel",
                        "name": "acme-web",
                        "uid": "channel-uid",
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "kind": "ChannelRouting",
            "spec": {
                "capabilityGroups": [
                    {
                        "id": "id-billing",
                        "name": "billing",
                        "description": "agent billing",
                        "capabilities": [
                            {
                                "id": "c-bill",
                                "name": "bill",
                                "requiredVersion": "^1.0.0",
                                "providedVersion": "1.4.0",
                                "host": "billing.default.svc.cluster.local",
                                "description": "",
                                "examples": ["e"],
                            },
                            {
                                "id": "c-contract",
                                "name": "contract",
                                "requiredVersion": ">=2",
                                "providedVersion": "2.0.0",
                                "host": "billing.default.svc.cluster.local",
                                "description": "",
                                "examples": ["e"],
                            },
                        ],
                    },
                    {
                        "id": "id-support",
                        "name": "support",
                        "description": "agent support",
                        "capabilities": [
                            {
                                "id": "c-ticket",
                                "name": "ticket",
                                "requiredVersion": "*",
                                "providedVersion": "0.3.0",
                                "host": "support.example:443",
                                "description": "",
                                "examples": ["e"],
                                "endpoint": {"url": "https://support.example", "protocol": "arc"},
                            }
                        ],
                    },
                ]
            },
        }
    )


@pytest.mark.parametrize(
    ("endpoint", "platform_host", "host"),
    [
        (None, "platform:8080", "a.default.svc.cluster.local"),
        (Endpoint(url="http://10.0.0.7:9000/base"), "platform:8080", "10.0.0.7:9000"),
        (Endpoint(url="wss://agents.example"), None, "agents.example:443"),
        (Endpoint(url="http://a2a.example", protocol="a2a"), None, "a2a.example:80"),
        (Endpoint(protocol="local"), "platform:8080", "platform:8080"),
        (Endpoint(protocol="local"), None, "a.default.svc.cluster.local"),
    ],
    ids=["none", "arc", "arc-default-port", "a2a", "local", "local-without-platform"],
)
def test_host_is_where_the_agent_answers(endpoint: Endpoint | None, platform_host: str | None, host: str) -> None:
    wanted = channel(("x", "*"))
    resolution = resolve(wanted, [agent("a", ("x", "1.0.0"), endpoint=endpoint)])
    (group,) = routing_for(wanted, resolution, platform_host=platform_host).spec.capability_groups
    assert [(routed.host, routed.endpoint) for routed in group.capabilities] == [(host, endpoint)]


def test_labels_that_the_channel_lacks_are_absent() -> None:
    wanted = channel(("x", "*"), labels={"channel": "web", "team": "blue"})
    routing = routing_for(wanted, resolve(wanted, []), platform_host=None)
    assert routing.metadata.labels == {"channel": "web"}


def test_what_did_resolve_is_routed_although_the_channel_is_unresolved() -> None:
    wanted = channel(("x", "*"), ("missing", "*"))
    resolution = resolve(wanted, [agent("a", ("x", "1.0.0"))])
    groups = routing_for(wanted, resolution, platform_host=None).spec.capability_groups
    assert [group.name for group in groups] == ["a"]
    assert status_for(wanted, resolution, NOON).resolve_status is ResolveStatus.UNRESOLVED


def test_requirements_that_differ_in_id_only_are_routed_once() -> None:
    wanted = Channel(
        metadata=ObjectMeta(name="web", labels=LABELS),
        spec=ChannelSpec(
            required_capabilities=tuple(RequiredCapability(id=text, name="x", version="*") for text in ("one", "two"))
        ),
    )
    resolution = resolve(wanted, [agent("a", ("x", "1.0.0"))])
    assert len(resolution.wires) == 2
    (group,) = routing_for(wanted, resolution, platform_host=None).spec.capability_groups
    assert [routed.name for routed in group.capabilities] == ["x"]


def test_the_status_of_a_resolved_channel() -> None:
    wanted = _stored(channel(("x", "*")))
    status = status_for(wanted, resolve(wanted, [agent("a", ("x", "1.0.0"))]), NOON)
    assert _wire(status) == snapshot(
        {
            "resolveStatus": "RESOLVED",
            "observedGeneration": 3,
            "conditions": [
                {
                    "type": "Resolved",
                    "status": "True",
                    "reason": "AllCapabilitiesProvided",
                    "message": "capabilities: 1, agents: 1",
                    "lastTransitionTime": "2026-01-01T12:00:00Z",
                    "observedGeneration": 3,
                }
            ],
        }
    )


def test_the_status_of_an_unresolved_channel_says_what_is_missing_and_who_came_close() -> None:
    wanted = _stored(channel(("x", "^2.0.0"), ("y", "*")))
    status = status_for(wanted, resolve(wanted, [agent("a", ("x", "1.0.0"))]), NOON)
    assert _wire(status) == snapshot(
        {
            "resolveStatus": "UNRESOLVED",
            "unresolvedRequiredCapabilities": [
                {"id": "", "name": "x", "version": "^2.0.0", "strategy": "HIGHEST"},
                {"id": "", "name": "y", "version": "*", "strategy": "HIGHEST"},
            ],
            "nearMisses": [
                {
                    "capability": "x",
                    "agent": "a",
                    "providedVersion": "1.0.0",
                    "reason": "VersionOutOfRange",
                    "message": "provides '1.0.0', outside '^2.0.0'",
                }
            ],
            "observedGeneration": 3,
            "conditions": [
                {
                    "type": "Resolved",
                    "status": "False",
                    "reason": "CapabilitiesUnresolved",
                    "message": "NoMatchingAgent: no agent provides 'x' '^2.0.0' to this channel; "
                    "NotProvided: no agent provides 'y' in any version",
                    "lastTransitionTime": "2026-01-01T12:00:00Z",
                    "observedGeneration": 3,
                }
            ],
        }
    )


def test_a_channel_without_any_agent_has_its_own_reason() -> None:
    status = status_for(channel(), resolve(channel(), []), NOON)
    assert [condition.reason for condition in status.conditions] == [reasons.NO_AGENT_SERVES_CHANNEL]


def test_last_transition_time_stays_while_the_condition_does() -> None:
    missing_one, missing_two = channel(("x", "*")), channel(("x", "*"), ("y", "*"))
    before = status_for(missing_one, resolve(missing_one, []), NOON)
    after = status_for(_stored(missing_two, before), resolve(missing_two, []), LATER)
    assert [condition.last_transition_time for condition in after.conditions] == ["2026-01-01T12:00:00Z"]


def test_last_transition_time_moves_when_the_condition_changes() -> None:
    wanted = channel(("x", "*"))
    before = status_for(wanted, resolve(wanted, []), NOON)
    resolution = resolve(wanted, [agent("a", ("x", "1.0.0"))])
    after = status_for(_stored(wanted, before), resolution, LATER)
    assert [condition.last_transition_time for condition in after.conditions] == ["2026-01-01T13:00:00Z"]


def test_near_misses_of_a_status_are_bounded() -> None:
    wanted = channel(*((f"x{number}", "^2.0.0") for number in range(100)))
    agents = [agent("a", *((f"x{number}", "1.0.0") for number in range(100)))]
    status = status_for(wanted, resolve(wanted, agents), NOON)
    assert len(status.near_misses or ()) == MAX_STATUS_NEAR_MISSES
    assert len(status.unresolved_required_capabilities or ()) == 100


def test_a_routing_carries_the_rules_of_its_channel() -> None:
    rules = RoutingRules(denied_agents=("support",))
    wanted = _stored(channel(("bill", "*")))
    wanted = wanted.model_copy(update={"spec": wanted.spec.model_copy(update={"routing_rules": rules})})
    routing = routing_for(wanted, resolve(wanted, []), platform_host=None)
    assert routing.to_wire()["spec"]["routingRules"] == {
        "allowedAgents": [],
        "deniedAgents": ["support"],
        "rules": [],
    }
