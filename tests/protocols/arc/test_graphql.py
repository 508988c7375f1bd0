"""The schema, and GraphQL over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
from graphql import GraphQLSchema, build_schema, print_schema

from lmos.protocols.arc.client import FULL_QUERY
from tests.protocols.arc.parts import DATA, ScriptedService, arc_server, wire_request

pytestmark = pytest.mark.anyio

NAMES = "{ agent { names } }"


@pytest.fixture
async def url() -> AsyncGenerator[str]:
    async with arc_server(ScriptedService(), frame_bytes=10_000) as base:
        yield base


async def post(url: str, **arguments: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/graphql", **arguments) as response:
        return response.status, await response.json()


def signatures(sdl: str) -> list[str]:
    """The schema as sorted type definitions without descriptions."""
    schema: GraphQLSchema = build_schema(sdl)
    for kind in schema.type_map.values():
        kind.description = None
        for member in {**getattr(kind, "fields", {}), **getattr(kind, "values", {})}.values():
            member.description = None
    return sorted(print_schema(schema).split("\n\n"))


async def test_the_served_schema_is_arcs(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/sdl") as response:
        served = await response.text()
    assert signatures(served) == signatures((DATA / "schema.graphql").read_text())


async def test_agents_are_listed_in_order(url: str) -> None:
    assert await post(url, json={"query": NAMES}) == (200, {"data": {"agent": {"names": ["billing", "contract"]}}})


async def test_an_operation_is_chosen_by_name(url: str) -> None:
    query = "query a { agent { names } } query b { other: agent { names } }"
    _, body = await post(url, json={"query": query, "operationName": "b"})
    assert list(body["data"]) == ["other"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param("{", "Syntax Error", id="syntax"),
        pytest.param("{ nothing }", "Cannot query field 'nothing'", id="unknown field"),
        pytest.param("mutation { tool }", "mutation operation is not supported", id="no mutations"),
        pytest.param(FULL_QUERY, "a subscription needs the WebSocket", id="subscription"),
        pytest.param("query a { agent { names } } query b { agent { names } }", "operationName", id="several"),
        pytest.param("{ a: agent { names } }" + " " * 20_000, "at most 16384", id="too long"),
        pytest.param("{ agent { " + "a:names " * 1_000 + "} }", "more than 2000", id="too many tokens"),
    ],
)
async def test_a_bad_query_is_answered_with_errors(query: str, message: str) -> None:
    async with arc_server(ScriptedService()) as url:
        status, body = await post(url, json={"query": query, "variables": {"request": wire_request()}})
    assert status == 200
    assert message in body["errors"][0]["message"]
    assert "data" not in body


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        pytest.param(b"", 400, "the request is not JSON", id="empty"),
        pytest.param(b'{"query": "\xff"}', 400, "the request is not JSON", id="invalid UTF-8"),
        pytest.param(b"[" * 5_000 + b"]" * 5_000, 400, "the request is not JSON", id="deeply nested"),
        pytest.param(b"[]", 400, "the request is not an object", id="a batch"),
        pytest.param(b'{"query": 1}', 400, "query is 1, not a text", id="query of another type"),
        pytest.param(b'{"query": "{x}", "variables": []}', 400, "variables is not", id="variables of another type"),
        pytest.param(b'{"query": "{x}", "operationName": 1}', 400, "operationName is not", id="name of another type"),
        pytest.param(b" " * 10_001, 413, "larger than 10000 bytes", id="too large"),
    ],
)
async def test_a_bad_body_is_a_clear_4xx(url: str, body: bytes, status: int, message: str) -> None:
    answered, error = await post(url, data=body)
    assert answered == status
    assert message in error["errors"][0]["message"]


async def test_the_schema_can_be_introspected(url: str) -> None:
    _, body = await post(url, json={"query": "{ __schema { subscriptionType { fields { name } } } }"})
    assert body["data"]["__schema"]["subscriptionType"]["fields"] == [{"name": "agent"}]
