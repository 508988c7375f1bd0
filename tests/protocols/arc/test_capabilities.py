"""The capabilities document: five members and five."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lmos.protocols.arc.capabilities import (
    BadCapabilities,
    CapabilitiesDocument,
    DocumentCapability,
    parse_capabilities,
)

DOCUMENT = CapabilitiesDocument(
    id="billing",
    description="Bills",
    supported_tenants=["acme"],
    supported_channels=["web"],
    capabilities=[
        DocumentCapability(id="1", name="bills", version="1.0.0", description="Reads bills", examples=["my bill"])
    ],
)


def test_the_document_has_exactly_arcs_members() -> None:
    assert json.loads(DOCUMENT.to_json()) == {
        "id": "billing",
        "description": "Bills",
        "supportedTenants": ["acme"],
        "supportedChannels": ["web"],
        "capabilities": [
            {
                "id": "1",
                "name": "bills",
                "version": "1.0.0",
                "description": "Reads bills",
                "examples": ["my bill"],
            }
        ],
    }


def test_a_document_survives_the_wire() -> None:
    assert parse_capabilities(DOCUMENT.to_json()) == DOCUMENT


def changed(**members: Any) -> str:
    document: dict[str, Any] = {**json.loads(DOCUMENT.to_json()), **members}
    return json.dumps({key: value for key, value in document.items() if value != "DROP"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", "capabilities.json is not JSON", id="not JSON"),
        pytest.param("[]", "document: .*got \\[\\]", id="not an object"),
        pytest.param(changed(supportedTenants="DROP"), "supportedTenants: is missing", id="missing"),
        pytest.param(changed(tenants=[]), "tenants: is not a member of the document", id="unknown"),
        pytest.param(changed(supported_tenants=[]), "supported_tenants: is not a member", id="Python's spelling"),
        pytest.param(changed(id=7), "id: Input should be a valid string, got 7", id="wrong type"),
        pytest.param(changed(capabilities=[{"id": "1"}]), "capabilities.0.name: is missing", id="nested"),
    ],
)
def test_a_wrong_document_is_refused_by_member(text: str, message: str) -> None:
    with pytest.raises(BadCapabilities, match=message):
        parse_capabilities(text)
