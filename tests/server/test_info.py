"""Agents and channels queries of the LMOS runtime, probes and metrics."""

from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.runtime.fakes import echo
from tests.server.fakes import MESSAGE, an_api, body

pytestmark = pytest.mark.anyio


async def test_the_agents_of_a_channel(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.get("/apis/v1/agents", params={"tenantId": "acme", "channelId": "web"})

    assert response.json() == snapshot(
        {
            "subset": "stable",
            "agents": [
                {
                    "id": "id-billing",
                    "name": "billing",
                    "version": "1.0.0",
                    "description": "billing matters",
                    "capabilities": [{"id": "", "name": "billing-things", "version": "1.2.0", "description": ""}],
                }
            ],
        }
    )


async def test_the_agents_of_a_channel_with_their_addresses(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.get("/apis/v1/agents/acme/web")

    assert response.json() == snapshot(
        [
            {
                "id": "id-billing",
                "name": "billing",
                "version": "1.0.0",
                "description": "billing matters",
                "capabilities": [
                    {"id": "", "name": "billing-things", "version": "1.2.0", "description": "", "subset": "stable"}
                ],
                "addresses": [{"protocol": "http", "uri": "127.0.0.1:1"}],
            }
        ]
    )


@pytest.mark.parametrize("path", ["/apis/v1/agents?tenantId=acme&channelId=ivr", "/apis/v1/agents/acme/ivr"])
async def test_agents_of_an_unknown_channel_are_404(tmp_path: Path, path: str) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.get(path)

    assert response.status_code == 404
    assert response.json()["errorCode"] == "AGENT_NOT_FOUND"


async def test_a_routing_is_shown_without_its_owner(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.get("/apis/v1/tenants/acme/channels/web/routing")

    assert response.status_code == 200
    assert response.json()["kind"] == "ChannelRouting"
    assert "ownerReferences" not in response.json()["metadata"]


@pytest.mark.parametrize("path", ["web", "web/routing"])
@pytest.mark.parametrize("headers", [{"x-subset": "canary"}, {"x-namespace": "elsewhere"}], ids=["subset", "namespace"])
async def test_an_unknown_channel_is_404_with_an_error_member(
    tmp_path: Path, path: str, headers: dict[str, str]
) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.get(f"/apis/v1/tenants/acme/channels/{path}", headers=headers)

    assert response.status_code == 404
    assert list(response.json()) == ["error"]


async def test_metrics_count_turns_by_outcome(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        await client.post(MESSAGE, json=body(), headers={"x-turn-id": "metrics"})
        response = await client.get("/metrics")

    assert 'lmos_turns_total{channel="web",outcome="answered",tenant="acme"}' in response.text


async def test_probes_answer(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        live, ready = await client.get("/livez"), await client.get("/readyz")

    assert (live.status_code, ready.status_code) == (200, 200)
    assert ready.json() == {"ready": True, "waitingFor": []}
