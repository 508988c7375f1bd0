"""The agent card of A2A 0.3 and 1.0."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lmos.protocols.a2a.cards import AgentCard, BadCard, Interface, Skill, parse_card

SKILL = {"id": "view-bill", "name": "Bills", "description": "Shows bills", "tags": ["money"], "examples": ["my bill"]}
COMMON = {
    "name": "Billing",
    "description": "Knows bills",
    "version": "1.2.0",
    "provider": {"organization": "ACME", "url": "https://acme.example"},
    "capabilities": {"streaming": True},
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [SKILL],
}
URL = "https://billing.example/a2a"
NEW = COMMON | {
    "supportedInterfaces": [
        {"url": URL, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        {"url": "https://billing.example/grpc", "protocolBinding": "GRPC", "protocolVersion": "1.0", "tenant": "t"},
    ],
    "securitySchemes": {},
    "signatures": [{"protected": "x", "signature": "y"}],
}
OLD = COMMON | {
    "protocolVersion": "0.3.0",
    "url": URL,
    "preferredTransport": "JSONRPC",
    "additionalInterfaces": [
        {"url": URL, "transport": "JSONRPC"},
        {"url": "https://billing.example/rest", "transport": "HTTP+JSON"},
    ],
    "supportsAuthenticatedExtendedCard": True,
}


def test_a_card_of_1_0_is_read() -> None:
    assert parse_card(json.dumps(NEW)) == AgentCard(
        name="Billing",
        description="Knows bills",
        version="1.2.0",
        interfaces=(
            Interface(URL, "JSONRPC", "1.0"),
            Interface("https://billing.example/grpc", "GRPC", "1.0"),
        ),
        skills=(Skill("view-bill", "Bills", "Shows bills", ("my bill",)),),
    )


def test_a_card_of_0_3_is_read_and_names_each_interface_once() -> None:
    card = parse_card(json.dumps(OLD))
    assert card.interfaces == (
        Interface(URL, "JSONRPC", "0.3.0"),
        Interface("https://billing.example/rest", "HTTP+JSON", "0.3.0"),
    )
    assert card.skills == parse_card(json.dumps(NEW)).skills


def test_a_card_for_both_versions_counts_as_the_newer() -> None:
    assert parse_card(json.dumps(OLD | NEW)).interfaces == parse_card(json.dumps(NEW)).interfaces


def test_a_card_without_the_members_that_protocol_buffers_leave_out_when_empty_is_read() -> None:
    card = parse_card(json.dumps({key: value for key, value in NEW.items() if key not in ("version", "skills")}))
    assert (card.version, card.skills) == ("", ())


def changed(**members: Any) -> str:
    card: dict[str, Any] = {**NEW, **members}
    return json.dumps({key: value for key, value in card.items() if value != "DROP"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("<html>", "agent card is not JSON", id="not JSON"),
        pytest.param("[]", r"card: .*got \[\]", id="not an object"),
        pytest.param(changed(name="DROP"), "name: is missing", id="missing"),
        pytest.param(changed(version=7), "version: Input should be a valid string, got 7", id="wrong type"),
        pytest.param(changed(skills=[{"id": "a"}]), "skills.0.name: is missing; skills.0.description", id="nested"),
        pytest.param(changed(supportedInterfaces="DROP"), "supportedInterfaces: is missing", id="no interface"),
        pytest.param(json.dumps({"status": "ok"}), "name: is missing", id="something else"),
    ],
)
def test_a_wrong_card_is_refused_by_member(text: str, message: str) -> None:
    with pytest.raises(BadCard, match=message):
        parse_card(text)
