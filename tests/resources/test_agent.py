"""What an Agent offers: its spec, and what was discovered."""

from __future__ import annotations

from typing import Any

import pytest

from lmos.resources.agent import Agent

SPEC = {"description": "By hand", "endpoint": {"url": "http://a"}, "discover": True}
FOUND = {
    "id": "found",
    "description": "Discovered",
    "supportedTenants": ["acme"],
    "supportedChannels": ["web"],
    "providedCapabilities": [{"name": "bill", "version": "1.0.0"}],
}


def offer_of(spec: dict[str, Any], status: dict[str, Any] | None) -> dict[str, Any]:
    agent = Agent.model_validate({"metadata": {"name": "a"}, "spec": spec, "status": status})
    return agent.offer.model_dump(by_alias=True, include={"id", "description", "supported_channels"})


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        pytest.param(SPEC, {"discovered": FOUND}, ("found", "By hand", ("web",)), id="the spec's words win"),
        pytest.param(SPEC, {}, ("", "By hand", ()), id="nothing discovered yet"),
        pytest.param(SPEC, None, ("", "By hand", ()), id="no status"),
        pytest.param(SPEC | {"discover": False}, {"discovered": FOUND}, ("", "By hand", ()), id="not asked for"),
    ],
)
def test_an_agent_offers_what_its_spec_says_and_else_what_was_discovered(
    spec: dict[str, Any], status: dict[str, Any] | None, expected: tuple[str, str, tuple[str, ...]]
) -> None:
    assert tuple(offer_of(spec, status).values()) == expected
