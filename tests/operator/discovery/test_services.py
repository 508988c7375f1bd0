"""Which Service leads to an agent, and at which url: the rules, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lmos.operator import reasons
from lmos.operator.discovery.base import Undiscovered
from lmos.operator.discovery.services import address_of
from lmos.operator.views import Views
from lmos.operator.workloads import Service, Workload
from tests.operator.discovery.builders import deployment, rollout, service

BILLING = deployment(labels={"app": "billing", "tier": "agents"})
HOST = "billing.default.svc.cluster.local"
HASH = "rollouts-pod-template-hash"


@pytest.mark.parametrize(
    ("ports", "url"),
    [
        pytest.param([{"port": 8080}], f"http://{HOST}:8080", id="the only one"),
        pytest.param([{"port": 1}, {"port": 2}], f"http://{HOST}:1", id="the first"),
        pytest.param([{"port": 1}, {"port": 2, "appProtocol": "http"}], f"http://{HOST}:2", id="declared http"),
        pytest.param([{"port": 1}, {"port": 2, "appProtocol": "https"}], f"https://{HOST}:2", id="declared https"),
        pytest.param([{"port": 1}, {"port": 2, "name": "http"}], f"http://{HOST}:2", id="named http"),
        pytest.param([{"port": 1}, {"port": 2, "name": "https"}], f"https://{HOST}:2", id="named https"),
        pytest.param(
            [{"port": 1, "name": "http"}, {"port": 2, "appProtocol": "http"}],
            f"http://{HOST}:2",
            id="a declaration counts more than a name",
        ),
        pytest.param(
            [{"port": 1, "name": "x"}, {"port": 2, "appProtocol": "http"}, {"port": 3, "appProtocol": "https"}],
            f"http://{HOST}:1",
            id="two declarations decide nothing",
        ),
        pytest.param(
            [{"port": 1, "name": "x"}, {"port": 2, "name": "http"}, {"port": 3, "name": "https"}],
            f"http://{HOST}:1",
            id="two names decide nothing",
        ),
        pytest.param([{"port": 1, "appProtocol": "grpc"}, {"port": 2}], f"http://{HOST}:1", id="other protocols"),
        pytest.param([{"port": 443}], f"https://{HOST}:443", id="port 443 is https"),
        pytest.param([{"port": 443, "name": "http"}], f"https://{HOST}:443", id="port 443 is https, whatever its name"),
        pytest.param([{"port": 1, "protocol": "UDP"}, {"port": 2}], f"http://{HOST}:2", id="HTTP runs over TCP"),
    ],
)
def test_port_and_scheme_follow_from_what_the_service_says_of_its_ports(
    ports: list[Mapping[str, Any]], url: str
) -> None:
    assert address_of(BILLING, [service("billing", *ports)]) == url


CANARY = {"strategy": {"canary": {"stableService": "live", "canaryService": "next"}}}
BLUE_GREEN = {"strategy": {"blueGreen": {"activeService": "live", "previewService": "next"}}}
ARGOS = [
    service("live", selector={"app": "billing", HASH: "1"}),
    service("next", selector={"app": "billing", HASH: "2"}),
]


@pytest.mark.parametrize(
    ("workload", "services", "name"),
    [
        pytest.param(BILLING, [service("any")], "any", id="the only one that selects the pods"),
        pytest.param(
            BILLING,
            [service("any", selector={"app": "billing", "tier": "agents"}), service("x", selector={"app": "other"})],
            "any",
            id="others select other pods",
        ),
        pytest.param(BILLING, [service("a"), service("billing")], "billing", id="of several that of the same name"),
        pytest.param(BILLING, [service("any"), service("x", selector=None)], "any", id="no selector selects nothing"),
        pytest.param(BILLING, [service("any"), service("x", selector={})], "any", id="nor does an empty one"),
        pytest.param(rollout(spec=CANARY), ARGOS, "live", id="a canary's stable Service"),
        pytest.param(rollout(spec=BLUE_GREEN), ARGOS, "live", id="a blue-green's active Service"),
        pytest.param(rollout(), ARGOS[:1], "live", id="what Argo adds to a selector does not count"),
        pytest.param(
            rollout(), [*ARGOS, service("x", selector={HASH: "1"})][::2], "live", id="not even where it is alone"
        ),
    ],
)
def test_a_service_whose_selector_is_contained_in_the_pods_labels_leads_to_them(
    workload: Workload, services: list[Service], name: str
) -> None:
    assert address_of(workload, services) == f"http://{name}.default.svc.cluster.local:8080"


@pytest.mark.parametrize(
    ("services", "reason", "words"),
    [
        pytest.param([], reasons.SERVICE_MISSING, "labels (app=billing, tier=agents)", id="none"),
        pytest.param(
            [service("x", selector={"app": "billing", "more": "1"})],
            reasons.SERVICE_MISSING,
            "contained",
            id="narrower",
        ),
        pytest.param(
            [service("b"), service("a")], reasons.SERVICE_AMBIGUOUS, "Services a, b all lead to Deployment", id="two"
        ),
        pytest.param(
            [service("x", {"port": 53, "protocol": "UDP"})], reasons.SERVICE_WITHOUT_PORT, "'x' has no TCP", id="UDP"
        ),
    ],
)
def test_where_no_service_leads_to_the_agent_the_reason_says_why(
    services: list[Service], reason: str, words: str
) -> None:
    with pytest.raises(Undiscovered) as caught:
        address_of(BILLING, services)
    assert caught.value.finding.reason == reason
    assert words in caught.value.finding.message


def test_services_and_workloads_find_each_other() -> None:
    views = Views()
    views.deployments.put(BILLING.with_meta(resource_version="1"))
    views.rollouts.put(rollout("other", labels={"app": "other"}).with_meta(resource_version="1"))
    shared = service("shared", selector={"tier": "agents"})
    for found in (service(), shared, service("far", namespace="far"), service("none", selector=None), *ARGOS):
        views.services.put(found.with_meta(resource_version="1"))
    assert {s.metadata.name for s in views.services_of(BILLING)} == {"billing", "shared", "live", "next"}
    assert [w.title for w in views.workloads_behind(shared)] == ["Deployment 'billing'"]
    assert [w.title for w in views.workloads_behind(service(selector={"app": "other"}))] == ["Rollout 'other'"]
    assert views.workloads_behind(service(selector=None)) == []
