"""What tests do to the simulated API server, and what comes about in time. Time is virtual."""

from __future__ import annotations

import asyncio
from typing import Any

import looptime
import orjson
import pytest

from lmos.operator.kubernetes.transport import Transport, TransportError, Unreachable
from lmos.testing import ApiServer, VirtualClock

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
AGENTS = "/apis/lmos.eclipse/v1/namespaces/default/agents"
ROUTINGS = "/apis/lmos.eclipse/v1/namespaces/default/channelroutings"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


@pytest.fixture
def server() -> ApiServer:
    return ApiServer(VirtualClock(), collect_after=2.0)


async def _post(server: ApiServer, name: str, path: str = AGENTS, kind: str = "Agent", **meta: Any) -> Json:
    body = {"apiVersion": "lmos.eclipse/v1", "kind": kind, "metadata": {"name": name, **meta}}
    answer = await server.transport().request("POST", path, body=orjson.dumps(body))
    assert answer.status == 201, answer.body
    return orjson.loads(answer.body)


async def _code(server: ApiServer, method: str, path: str, user: str = "admin") -> int:
    return (await server.transport(user).request(method, path)).status


async def _lines(transport: Transport, since: int, count: int, **query: str) -> list[Json]:
    """The next lines of a watch on Agents."""
    wanted = {"watch": "true", "resourceVersion": str(since), "allowWatchBookmarks": "true", **query}
    found: list[Json] = []
    async with transport.stream(AGENTS, query=wanted) as stream:
        async for line in stream.lines:
            found.append(orjson.loads(line))
            if len(found) == count:
                break
    return found


def _owned_by(*owners: Json) -> list[Json]:
    return [
        {"apiVersion": "v1", "kind": "X", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        for owner in owners
    ]


async def test_what_is_owned_goes_some_time_after_its_owner(server: ApiServer) -> None:
    owner = await _post(server, "a")
    await _post(server, "r", ROUTINGS, "ChannelRouting", ownerReferences=_owned_by(owner))
    await server.transport().request("DELETE", f"{AGENTS}/a")
    await asyncio.sleep(1.9)
    assert len(server.objects("channelroutings")) == 1
    await asyncio.sleep(0.2)
    assert server.objects("channelroutings") == []


async def test_what_has_another_owner_stays_and_forgets_the_one_that_went(server: ApiServer) -> None:
    gone, other = await _post(server, "a"), await _post(server, "b")
    await _post(server, "r", ROUTINGS, "ChannelRouting", ownerReferences=_owned_by(gone, other))
    await server.transport().request("DELETE", f"{AGENTS}/a")
    await asyncio.sleep(3)
    (found,) = server.objects("channelroutings")
    assert [owner["name"] for owner in found["metadata"]["ownerReferences"]] == ["b"]


async def test_a_namespace_takes_nothing_new_and_goes_with_what_is_in_it(server: ApiServer) -> None:
    await _post(server, "a")
    assert await _code(server, "DELETE", "/api/v1/namespaces/default") == 200
    refused = await server.transport().request(
        "POST", AGENTS, body=b'{"apiVersion":"lmos.eclipse/v1","kind":"Agent","metadata":{"name":"b"}}'
    )
    assert refused.status == 403
    assert orjson.loads(refused.body)["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    await asyncio.sleep(5)
    assert server.objects("agents") == server.objects("namespaces") == []


async def test_a_watch_tells_how_far_it_is_when_nothing_happens(server: ApiServer) -> None:
    await _post(server, "a")
    began = asyncio.get_running_loop().time()
    (line,) = await _lines(server.transport(), server.version, 1)
    assert line["type"] == "BOOKMARK"
    assert asyncio.get_running_loop().time() - began == pytest.approx(60)


async def test_a_watch_ends_after_its_time(server: ApiServer) -> None:
    assert await _lines(server.transport(), server.version, 1, timeoutSeconds="5") == []


async def test_a_watch_from_before_a_compaction_is_told_that_it_is_too_old(server: ApiServer) -> None:
    since = server.version
    await _post(server, "a")
    server.compact()
    (line,) = await _lines(server.transport(), since, 1)
    assert (line["type"], line["object"]["code"]) == ("ERROR", 410)


async def test_a_stopped_server_breaks_watches_and_answers_nobody(server: ApiServer) -> None:
    watching = asyncio.create_task(_lines(server.transport(), server.version, 1))
    await asyncio.sleep(1)
    server.stop()
    with pytest.raises(TransportError):
        await watching
    with pytest.raises(Unreachable):
        await server.transport().request("GET", AGENTS)
    server.start()
    assert await _code(server, "GET", AGENTS) == 200


async def test_a_withdrawn_resource_loses_its_objects_and_is_unknown_until_it_is_served_again(
    server: ApiServer,
) -> None:
    await _post(server, "a")
    watching = asyncio.create_task(_lines(server.transport(), server.version, 2))
    await asyncio.sleep(1)
    server.withdraw("agents")
    assert [line["type"] for line in await watching] == ["DELETED"]
    assert await _code(server, "GET", AGENTS) == 404
    server.serve("agents")
    assert await _code(server, "GET", AGENTS) == 200
    assert server.objects("agents") == []


async def test_rights_can_be_taken_from_a_user(server: ApiServer) -> None:
    server.deny("list", "agents", "operator")
    assert await _code(server, "GET", AGENTS, "operator") == 403
    assert await _code(server, "GET", f"{AGENTS}/a", "operator") == 404
    assert await _code(server, "GET", AGENTS) == 200
    server.allow_all()
    assert await _code(server, "GET", AGENTS, "operator") == 200


async def test_what_it_cannot_do_is_an_error_of_the_test(server: ApiServer) -> None:
    with pytest.raises(NotImplementedError, match="fieldSelector"):
        await server.transport().request("GET", AGENTS, query={"fieldSelector": "metadata.name=a"})


async def test_pages_of_a_list_show_one_state(server: ApiServer) -> None:
    for name in "abc":
        await _post(server, name)
    first = orjson.loads((await server.transport().request("GET", AGENTS, query={"limit": "2"})).body)
    await server.transport().request("DELETE", f"{AGENTS}/c")
    query = {"limit": "2", "continue": first["metadata"]["continue"]}
    rest = orjson.loads((await server.transport().request("GET", AGENTS, query=query)).body)
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]
    server.compact()
    assert (await server.transport().request("GET", AGENTS, query=query)).status == 410
