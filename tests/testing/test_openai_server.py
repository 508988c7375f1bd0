"""The fake OpenAI-compatible server, as any HTTP client sees it."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx2
import numpy as np
import pytest

from lmos.encoders.registry import encoder_named
from lmos.testing import Calls, FakeOpenAI, Garbage, HttpError, Slow

pytestmark = pytest.mark.anyio

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


async def post(server: FakeOpenAI, path: str, body: dict[str, Any]) -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        return await client.post(f"{server.url}{path}", json=body)


async def test_an_answer_without_streaming_is_one_completion() -> None:
    async with FakeOpenAI(["Hello you"]) as server:
        body = (await post(server, "/chat/completions", CHAT)).json()
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "Hello you"}
    assert body["usage"]["completion_tokens"] == 2


async def test_a_streamed_answer_ends_with_usage_and_done() -> None:
    async with FakeOpenAI(["Hello you"]) as server:
        text = (await post(server, "/chat/completions", {**CHAT, "stream": True})).text
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line]
    chunks = [json.loads(line) for line in lines[:-1]]
    assert lines[-1] == "[DONE]"
    assert "usage" in chunks[-1]
    assert "".join(c["delta"].get("content", "") for chunk in chunks for c in chunk["choices"]) == "Hello you"


async def test_tool_calls_carry_their_arguments_as_json_text() -> None:
    async with FakeOpenAI([Calls(("f", {"n": 1}))]) as server:
        choice = (await post(server, "/chat/completions", CHAT)).json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"n": 1}'}


async def test_an_error_has_openais_body_and_says_when_to_come_back() -> None:
    async with FakeOpenAI([HttpError(429, "slow down", retry_after=2)]) as server:
        response = await post(server, "/chat/completions", CHAT)
    assert (response.status_code, response.headers["retry-after"]) == (429, "2")
    assert response.json()["error"]["message"] == "slow down"


async def test_garbage_is_sent_as_it_is() -> None:
    async with FakeOpenAI([Garbage("{")]) as server:
        assert (await post(server, "/chat/completions", CHAT)).text == "{"


async def test_a_used_up_script_answers_with_the_default_or_says_so() -> None:
    async with FakeOpenAI(default="Always") as server:
        assert (await post(server, "/chat/completions", CHAT)).json()["choices"][0]["message"]["content"] == "Always"
    async with FakeOpenAI() as server:
        assert "no more answers" in (await post(server, "/chat/completions", CHAT)).json()["error"]["message"]


async def test_leaving_cancels_a_slow_answer() -> None:
    async with FakeOpenAI([Slow("late", 3600)]) as server:
        waiting = asyncio.create_task(post(server, "/chat/completions", CHAT))
        async with asyncio.timeout(5):
            while not server.requests:  # noqa: ASYNC110 - the request arrives over a real socket
                await asyncio.sleep(0.005)
    with pytest.raises(httpx2.HTTPError):
        (await waiting).raise_for_status()


async def test_equal_texts_have_equal_unit_vectors() -> None:
    async with FakeOpenAI() as server:
        data = (await post(server, "/embeddings", {"model": "m", "input": ["a", "b", "a"]})).json()["data"]
    vectors = np.array([entry["embedding"] for entry in data])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.array_equal(vectors[0], vectors[2])
    assert abs(float(vectors[0] @ vectors[1])) < 0.6


async def test_vectors_come_as_base64_floats_when_asked_for() -> None:
    body = {"model": "m", "input": "a", "encoding_format": "base64"}
    async with FakeOpenAI() as server:
        plain = (await post(server, "/embeddings", {"model": "m", "input": "a"})).json()["data"][0]["embedding"]
        coded = (await post(server, "/embeddings", body)).json()["data"][0]["embedding"]
    assert np.allclose(np.frombuffer(base64.b64decode(coded), "<f4"), plain)


async def test_an_encoder_gives_meaningful_vectors() -> None:
    encoder = encoder_named("static")
    async with FakeOpenAI(encoder=encoder) as server:
        data = (await post(server, "/embeddings", {"model": "m", "input": ["my bill"]})).json()["data"]
    assert np.allclose(data[0]["embedding"], (await encoder.encode(["my bill"]))[0])


async def test_an_offer_to_upgrade_to_http2_is_ignored() -> None:
    request = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    body = json.dumps(CHAT)
    async with FakeOpenAI(["Hello"]) as server:
        host, _, port = server.url.removeprefix("http://").removesuffix("/v1").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request.format(length=len(body), body=body).encode())
        status = await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert status == b"HTTP/1.1 200 OK\r\n"


async def test_the_models_are_listed() -> None:
    async with FakeOpenAI() as server, httpx2.AsyncClient() as client:
        response = await client.get(f"{server.url}/models")
    assert [entry["id"] for entry in response.json()["data"]] == ["fake"]
