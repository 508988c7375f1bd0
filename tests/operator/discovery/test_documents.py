"""What a document means, and why one is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lmos.operator import reasons
from lmos.operator.discovery.base import Document, Place, Target, Undiscovered, base_of, places
from lmos.operator.discovery.documents import Told, offer_of
from lmos.resources.agent import AgentSource, Endpoint

URL = "http://billing.default.svc.cluster.local:8080"
(ARC,) = places(URL, ["arc"])
A2A = places(URL, ["a2a"])[0]
BILL = {"id": "1", "name": "bill", "version": "1.0.0", "description": "Shows bills", "examples": ["my bill"]}
CAPABILITIES: dict[str, Any] = {
    "id": "billing",
    "description": "Bills",
    "supportedTenants": ["acme"],
    "supportedChannels": ["web"],
    "capabilities": [BILL],
}
CARD: dict[str, Any] = {
    "name": "Billing",
    "description": "Bills",
    "version": "2.1.0",
    "supportedInterfaces": [{"url": URL, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
    "skills": [{"id": "bill", "name": "Bills", "description": "Shows bills", "tags": [], "examples": ["my bill"]}],
}


def offer(place: Place, document: Mapping[str, Any], annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    told = Told.in_annotations(annotations or {})
    found = offer_of(Document(place, json.dumps(document).encode()), told)
    return found.model_dump(by_alias=True, mode="json")


def test_a_capabilities_document_offers_what_it_says() -> None:
    expected = {**CAPABILITIES, "providedCapabilities": [BILL]}
    del expected["capabilities"]
    assert offer(ARC, CAPABILITIES) == expected


def test_a_skill_of_a_card_is_a_capability_by_its_id_in_the_version_of_the_agent() -> None:
    assert offer(A2A, CARD) == {
        "id": "Billing",
        "description": "Bills",
        "supportedTenants": [],
        "supportedChannels": [],
        "providedCapabilities": [{**BILL, "id": "bill", "version": "2.1.0"}],
    }


@pytest.mark.parametrize(("place", "document"), [(ARC, CAPABILITIES), (A2A, CARD)], ids=["arc", "a2a"])
@pytest.mark.parametrize(
    ("annotations", "tenants", "channels"),
    [
        (
            {"lmos.eclipse/tenants": "acme, globex", "lmos.eclipse/channels": "web,ivr,"},
            ["acme", "globex"],
            ["web", "ivr"],
        ),
        ({"lmos.eclipse/tenants": "", "lmos.eclipse/channels": "app"}, [], ["app"]),
    ],
    ids=["lists", "empty means all"],
)
def test_what_people_say_of_tenants_and_channels_holds(
    place: Place, document: Mapping[str, Any], annotations: Mapping[str, str], tenants: list[str], channels: list[str]
) -> None:
    found = offer(place, document, annotations)
    assert (found["supportedTenants"], found["supportedChannels"]) == (tenants, channels)


def test_a_card_whose_version_is_none_takes_the_one_that_people_give_it() -> None:
    (capability,) = offer(A2A, {**CARD, "version": ""}, {"lmos.eclipse/version": "1.4.0"})["providedCapabilities"]
    assert capability["version"] == "1.4.0"


@pytest.mark.parametrize(
    ("place", "document", "annotations", "message"),
    [
        pytest.param(
            ARC, {**CAPABILITIES, "more": 1}, {}, "more: is not a member of the document", id="unknown member"
        ),
        pytest.param(
            ARC,
            {**CAPABILITIES, "capabilities": [BILL, {**BILL, "version": "1.0"}]},
            {},
            "capabilities.1.version: '1.0'",
            id="version",
        ),
        pytest.param(
            ARC,
            {**CAPABILITIES, "capabilities": [{**BILL, "name": ""}]},
            {},
            "capabilities.0.name: String should have at least 1",
            id="bounds of an Agent",
        ),
        pytest.param(A2A, {**CARD, "skills": [{"id": "x"}]}, {}, "skills.0.name: is missing", id="card"),
        pytest.param(
            A2A, {**CARD, "version": "1"}, {}, "version: '1' .*lmos.eclipse/version: 1.0.0", id="card's version"
        ),
        pytest.param(
            A2A, CARD, {"lmos.eclipse/version": "new"}, "annotation lmos.eclipse/version: 'new'", id="annotation"
        ),
    ],
)
def test_a_document_is_refused_as_a_whole_by_url_and_member(
    place: Place, document: Mapping[str, Any], annotations: Mapping[str, str], message: str
) -> None:
    with pytest.raises(Undiscovered, match=message) as caught:
        offer(place, document, annotations)
    assert caught.value.finding.reason == reasons.INVALID_DOCUMENT
    assert caught.value.finding.message.startswith(place.url)


def test_a_document_with_a_thousand_faults_has_a_message_that_can_be_read() -> None:
    with pytest.raises(Undiscovered) as caught:
        offer(ARC, {**CAPABILITIES, "capabilities": [{"id": "x" * 500}] * 1000})
    assert len(caught.value.finding.message) <= 2048


@pytest.mark.parametrize(
    ("endpoint", "base"),
    [
        (Endpoint(url="https://a.example"), "https://a.example"),
        (Endpoint(url="WSS://a.example:1/x/"), "https://a.example:1/x"),
        (Endpoint(url="ws://a/agents/b/subscriptions"), "http://a/agents/b"),
        (Endpoint(url="http://a/subscriptions", protocol="a2a"), "http://a/subscriptions"),
    ],
    ids=["plain", "websocket", "subscriptions", "a2a"],
)
def test_the_documents_of_an_endpoint_are_beside_its_subscriptions(endpoint: Endpoint, base: str) -> None:
    assert base_of(endpoint) == base


def test_a_workload_is_asked_for_arc_then_for_both_paths_of_a2a() -> None:
    assert [place.url.removeprefix(URL) for place in places(f"{URL}/", ["arc", "a2a"])] == [
        "/.well-known/capabilities.json",
        "/.well-known/agent-card.json",
        "/.well-known/agent.json",
    ]


@pytest.mark.parametrize(
    ("source", "gave"),
    [
        (AgentSource(url=A2A.url, revision="1", digest="d"), True),
        (AgentSource(url=A2A.url, revision="2", digest="d"), False),
        (AgentSource(url=A2A.url, revision="1", digest="e"), False),
        (AgentSource(url="http://elsewhere", revision="1", digest="d"), False),
        (None, False),
    ],
    ids=["same", "revision", "digest", "place", "nothing"],
)
def test_a_target_knows_what_it_gave_in_this_state(source: AgentSource | None, gave: bool) -> None:
    assert Target(places(URL, ["arc", "a2a"]), revision="1", digest="d").gave(source) is gave
