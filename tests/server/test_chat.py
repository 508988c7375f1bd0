"""The message endpoint: bodies, headers and codes of the LMOS runtime, and the stream of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lmos.conversation.errors import AgentFailed
from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer, Delta
from lmos.conversation.messages import AnonymizationEntity, Message
from tests.runtime.fakes import echo
from tests.server.fakes import MESSAGE, an_api, body

pytestmark = pytest.mark.anyio

TURN = {"x-turn-id": "t1"}
STREAM = {**TURN, "accept": "text/event-stream"}


def frames(text: str) -> list[dict[str, str]]:
    """Server-sent events as their fields."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]  # pyright: ignore[reportReturnType,reportArgumentType]


async def test_a_turn_answers_with_content_and_anonymization_entities(tmp_path: Path) -> None:
    async def anonymous(request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        entity = AnonymizationEntity(type="NAME", value="Anna", replacement="<1>")
        yield Answer(Message(role="assistant", content="Hello <1>"), anonymization_entities=(entity,))

    async with an_api(tmp_path, {"billing": anonymous}) as (client, _):
        response = await client.post(MESSAGE, json=body(), headers=TURN)

    assert response.status_code == 200
    assert response.json() == {
        "content": "Hello <1>",
        "anonymizationEntities": [{"type": "NAME", "value": "Anna", "replacement": "<1>"}],
    }


async def test_context_params_may_be_missing_and_unknown_members_are_ignored(tmp_path: Path) -> None:
    sent = body()
    del sent["systemContext"]["contextParams"], sent["userContext"]["contextParams"]
    sent["futureMember"] = {"x": 1}
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.post(MESSAGE, json=sent, headers=TURN)

    assert response.json()["content"] == "echo billing"


def _without(*path: str) -> dict[str, Any]:
    sent = body()
    inner = sent
    for part in path[:-1]:
        inner = inner[part]
    del inner[path[-1]]
    return sent


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        pytest.param(_without("inputContext", "messages"), "messages", id="no messages"),
        pytest.param(body(messages=[]), "messages", id="empty messages"),
        pytest.param(_without("systemContext", "channelId"), "channelId", id="no channel"),
        pytest.param(_without("userContext", "userId"), "userId", id="no user"),
        pytest.param(body(messages=[{"role": "system", "content": "x"}]), "role", id="role system"),
        pytest.param(body(messages=[{"role": "assistant", "content": "x"}]), "last message", id="assistant last"),
        pytest.param(body(explicitAgent="a\u0000b"), "explicitAgent", id="control character"),
        pytest.param([], "body", id="no object"),
    ],
)
async def test_a_body_that_does_not_fit_is_400_and_names_the_field(tmp_path: Path, sent: Any, field: str) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.post(MESSAGE, json=sent, headers=TURN)

    assert response.status_code == 400
    assert response.json()["errorCode"] == "INVALID_REQUEST"
    assert field in response.json()["message"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{not json", id="no json"),
        pytest.param(b"\xff\xfe\x00", id="invalid utf-8"),
        pytest.param(b'{"inputContext": "\xff"}', id="invalid utf-8 in a string"),
        pytest.param(json.dumps(body("\ud800")).encode(), id="lone surrogate"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(b"", id="empty"),
    ],
)
async def test_a_body_that_is_no_json_text_is_400(tmp_path: Path, content: bytes) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        headers = {**TURN, "content-type": "application/json"}
        response = await client.post(MESSAGE, content=content, headers=headers)

    assert response.status_code == 400
    assert response.json()["errorCode"] == "INVALID_REQUEST"


async def test_a_missing_turn_id_is_400(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.post(MESSAGE, json=body())

    assert response.status_code == 400
    assert "x-turn-id" in response.json()["message"]


@pytest.mark.parametrize("declared", [True, False], ids=["declared length", "chunked"])
async def test_a_body_over_the_limit_is_413(tmp_path: Path, declared: bool) -> None:
    content = json.dumps(body("x" * 2_000)).encode()

    async def chunks() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(content), 500):
            yield content[start : start + 500]

    async with an_api(tmp_path, {"billing": echo}, max_body_bytes=1_500) as (client, _):
        response = await client.post(
            MESSAGE, content=content if declared else chunks(), headers={**TURN, "content-type": "application/json"}
        )

    assert response.status_code == 413
    assert response.json()["errorCode"] == "INVALID_REQUEST"


async def test_an_agent_that_fails_is_500_agent_client_exception(tmp_path: Path) -> None:
    async def broken(_request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        raise AgentFailed("agent at 10.0.0.7:8080 closed the connection (code 1006)", summary="closed the connection")
        yield Delta("never")

    async with an_api(tmp_path, {"billing": broken}) as (client, _):
        response = await client.post(MESSAGE, json=body(), headers=TURN)

    assert response.status_code == 500
    assert response.json() == {
        "errorCode": "AGENT_CLIENT_EXCEPTION",
        "message": "agent 'billing' closed the connection",
    }


async def test_an_unknown_tenant_is_404_agent_not_found(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.post("/apis/v1/nobody/chat/c1/message", json=body(), headers=TURN)

    assert response.status_code == 404
    assert response.json()["errorCode"] == "AGENT_NOT_FOUND"


async def test_an_unknown_explicit_agent_is_404_agent_not_found(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.post(MESSAGE, json=body(explicitAgent="nobody"), headers=TURN)

    assert response.status_code == 404
    assert response.json()["errorCode"] == "AGENT_NOT_FOUND"


@pytest.mark.parametrize("headers", [TURN, STREAM], ids=["plain", "stream"])
async def test_another_body_under_one_turn_id_is_409(tmp_path: Path, headers: dict[str, str]) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        await client.post(MESSAGE, json=body(), headers=TURN)
        response = await client.post(MESSAGE, json=body("billing again"), headers=headers)

    assert response.status_code == 409
    assert response.json()["errorCode"] == "TURN_CONFLICT"


async def test_an_equal_post_gives_the_same_answer_without_asking_again(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, agents):
        first = await client.post(MESSAGE, json=body(), headers=TURN)
        again = await client.post(MESSAGE, json=body(), headers=TURN)

    assert again.content == first.content
    assert len(agents.asked) == 1


async def test_a_stream_has_one_frame_an_event_with_its_sequence_as_id(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.post(MESSAGE, json=body(), headers=STREAM)

    sent = frames(response.text)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert [frame["event"] for frame in sent] == [
        "TurnStarted",
        "RouteDecided",
        "AgentCalled",
        "MessageCompleted",
        "TurnCompleted",
    ]
    assert [frame["id"] for frame in sent] == ["0", "1", "2", "3", "4"]
    assert all(json.loads(frame["data"])["type"] == frame["event"] for frame in sent)


async def test_a_stream_resumes_after_the_last_event_id(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        whole = await client.post(MESSAGE, json=body(), headers=STREAM)
        rest = await client.post(MESSAGE, json=body(), headers={**STREAM, "last-event-id": "2"})

    assert frames(rest.text) == frames(whole.text)[3:]


async def test_a_malformed_last_event_id_is_400(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.post(MESSAGE, json=body(), headers={**STREAM, "last-event-id": "abc"})

    assert response.status_code == 400


async def test_the_events_of_a_known_turn_can_be_read_again(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, agents):
        whole = await client.post(MESSAGE, json=body(), headers=STREAM)
        read = await client.get("/apis/v1/acme/chat/c1/turns/t1/events")

    assert read.text == whole.text
    assert len(agents.asked) == 1


async def test_reading_an_unknown_turn_is_404(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.get("/apis/v1/acme/chat/c1/turns/nope/events")

    assert response.status_code == 404
    assert response.json()["errorCode"] == "TURN_NOT_FOUND"


async def test_a_client_that_leaves_a_plain_turn_cancels_the_agent(tmp_path: Path) -> None:
    asked = asyncio.Event()
    cancelled = asyncio.Event()

    async def slow(_request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        try:
            asked.set()
            await asyncio.Event().wait()
            yield Delta("never")
        finally:
            cancelled.set()

    async with an_api(tmp_path, {"billing": slow}) as (client, _):
        posting = asyncio.create_task(client.post(MESSAGE, json=body(), headers=TURN))
        await asked.wait()
        posting.cancel()
        async with asyncio.timeout(2):
            await cancelled.wait()


async def test_an_unknown_path_answers_in_the_error_format(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        response = await client.get("/apis/v1/nothing/here/at/all")

    assert response.status_code == 404
    assert response.json() == {"errorCode": "NOT_FOUND", "message": "Not Found"}


async def test_the_openapi_document_describes_every_path(tmp_path: Path) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        document: httpx2.Response = await client.get("/openapi.json")

    assert sorted(document.json()["paths"]) == [
        "/apis/v1/agents",
        "/apis/v1/agents/{tenantId}/{channelId}",
        "/apis/v1/tenants/{tenantId}/channels",
        "/apis/v1/tenants/{tenantId}/channels/{channelId}",
        "/apis/v1/tenants/{tenantId}/channels/{channelId}/routing",
        "/apis/v1/{tenantId}/chat/{conversationId}/message",
        "/apis/v1/{tenantId}/chat/{conversationId}/turns/{turnId}/events",
    ]
