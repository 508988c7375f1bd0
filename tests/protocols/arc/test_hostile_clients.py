"""Clients that break the protocol or worse: a clean close with the protocol's code, and the server lives on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.protocols.arc.parts import EchoService, PatientService, RawClient, arc_server, raw_client, subscription

pytestmark = pytest.mark.anyio


async def lives(url: str) -> bool:
    async with raw_client(url) as client:
        await client.initialise()
        await client.subscribe()
        return (await client.receive())["type"] == "next"


def frame(**members: Any) -> str:
    return json.dumps(members)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param("", 4400, id="empty"),
        pytest.param("{", 4400, id="not JSON"),
        pytest.param("[" * 3000 + "]" * 3000, 4400, id="deeply nested"),
        pytest.param('{"type": "ping", "x": "\\ud800"}', 4400, id="a lone surrogate"),
        pytest.param("[]", 4400, id="not an object"),
        pytest.param("{}", 4400, id="no type"),
        pytest.param(frame(type=1), 4400, id="type is a number"),
        pytest.param(frame(type=["subscribe"]), 4400, id="type is a list"),
        pytest.param(frame(type="start", id="1"), 4400, id="a legacy frame"),
        pytest.param(frame(type="connection_init"), 4429, id="a second init"),
        pytest.param(frame(type="subscribe", payload=subscription()), 4400, id="subscribe without id"),
        pytest.param(frame(type="subscribe", id={}, payload=subscription()), 4400, id="id is an object"),
        pytest.param(frame(type="subscribe", id="", payload=subscription()), 4400, id="id is empty"),
        pytest.param(frame(type="subscribe", id="1"), 4400, id="subscribe without payload"),
        pytest.param(frame(type="subscribe", id="1", payload=[]), 4400, id="payload is a list"),
        pytest.param(frame(type="subscribe", id="1", payload={}), 4400, id="no query"),
        pytest.param(frame(type="subscribe", id="1", payload={"query": 1}), 4400, id="query is a number"),
        pytest.param(
            frame(type="subscribe", id="1", payload={"query": "{a}", "variables": []}), 4400, id="variables are a list"
        ),
        pytest.param(
            frame(type="subscribe", id="1", payload={"query": "{a}", "operationName": 1}), 4400, id="name is a number"
        ),
        pytest.param(
            frame(type="subscribe", id="1", payload={"query": "{a}", "extensions": 1}), 4400, id="extensions a number"
        ),
        pytest.param(frame(type="complete"), 4400, id="complete without id"),
        pytest.param(frame(type="ping", x="y" * 20_000), 1009, id="too large"),
        pytest.param(frame(type="ping", x="\u20ac" * 9_000), 1009, id="too large in bytes"),
    ],
)
async def test_a_frame_against_the_protocol_closes_the_socket(sent: str, code: int) -> None:
    async with arc_server(EchoService(), frame_bytes=20_000) as url:
        async with raw_client(url) as client:
            await client.initialise()
            await client.raw.send_str(sent)
            assert await client.closed_with() == code
        assert await lives(url)


async def test_a_binary_frame_closes_the_socket() -> None:
    async with arc_server(EchoService()) as url, raw_client(url) as client:
        await client.raw.send_bytes(b"{}")
        assert await client.closed_with() == 4400


async def test_subscribe_before_init_closes_the_socket() -> None:
    async with arc_server(EchoService()) as url, raw_client(url) as client:
        await client.subscribe()
        assert await client.closed_with() == 4401


async def test_a_bad_init_payload_closes_the_socket() -> None:
    async with arc_server(EchoService()) as url, raw_client(url) as client:
        await client.send({"type": "connection_init", "payload": 1})
        assert await client.closed_with() == 4400


async def test_no_init_in_time_closes_the_socket() -> None:
    async with arc_server(EchoService(), init_timeout=0.05) as url, raw_client(url) as client:
        assert await client.closed_with() == 4408


async def test_pings_do_not_put_off_the_init_timeout() -> None:
    async with arc_server(EchoService(), init_timeout=0.1) as url, raw_client(url) as client:
        await client.send({"type": "ping"})
        assert await client.receive() == {"type": "pong"}
        assert await client.closed_with() == 4408


async def test_a_duplicate_id_closes_the_socket_and_stops_the_first_agent() -> None:
    service = PatientService()
    async with arc_server(service) as url, raw_client(url) as client:
        await client.initialise()
        await client.subscribe("1")
        await service.started.wait()
        await client.subscribe("1")
        assert await client.closed_with() == 4409
        assert service.stopped.is_set()


async def test_a_message_of_ten_megabytes_ends_that_connection_alone() -> None:
    """Below the ASGI server's own limit the close says 1009; beyond it the server may hang up in mid-message."""
    async with arc_server(EchoService()) as url:
        async with raw_client(url) as client:
            await client.initialise()
            with contextlib.suppress(ConnectionError):
                await client.raw.send_str('{"type": "' + "x" * 10_000_000 + '"}')
            assert await client.closed_with() in (1009, 1006)
        assert await lives(url)


async def handshaken(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A raw TCP stream after the WebSocket handshake."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        b"GET /subscriptions HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def masked(first_byte: int, payload: bytes) -> bytes:
    return bytes([first_byte, 0x80 | len(payload)]) + bytes(4) + payload


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(masked(0x81, b'{"type": "\xff\xfe"}'), id="invalid UTF-8"),
        pytest.param(masked(0x83, b"x"), id="reserved opcode"),
        pytest.param(masked(0xF1, b"{}"), id="reserved bits"),
        pytest.param(bytes([0x81, 0x02]) + b"{}", id="unmasked"),
        pytest.param(masked(0x80, b"x"), id="continuation of nothing"),
        pytest.param(masked(0x09, b"x"), id="fragmented ping"),
        pytest.param(bytes([0x81, 0xFF]) + b"\xff" * 8, id="length of 2**64 - 1"),
        pytest.param(masked(0x88, b"\x00"), id="close without a whole code"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP again"),
    ],
)
async def test_a_malformed_websocket_frame_ends_that_connection_alone(data: bytes) -> None:
    async with arc_server(EchoService()) as url, raw_client(url) as other:
        await other.initialise()
        reader, writer = await handshaken(url)
        writer.write(data)
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await other.subscribe()
        assert (await other.receive())["type"] == "next"


async def test_random_bytes_never_harm_the_server() -> None:
    async with arc_server(EchoService()) as url:
        for size in (1, 7, 64, 500, 4_000):
            _, writer = await handshaken(url)
            writer.write(os.urandom(size))
            await writer.drain()
            writer.close()
        assert await lives(url)


async def test_a_client_that_vanishes_in_mid_frame_harms_nobody() -> None:
    async with arc_server(EchoService()) as url:
        _, writer = await handshaken(url)
        writer.write(masked(0x81, b'{"type": "connection_init"}')[:10])
        await writer.drain()
        writer.transport.abort()
        assert await lives(url)


async def test_a_flood_of_subscriptions_that_are_completed_at_once_leaves_nothing_running() -> None:
    service = PatientService()
    async with arc_server(service, subscriptions=3) as url, raw_client(url) as client:
        await client.initialise()
        for number in range(100):
            await client.subscribe(str(number))
            await client.send({"id": str(number), "type": "complete"})
        await client.send({"type": "ping"})
        while (await client.receive())["type"] != "pong":
            pass
        await drained(client)


async def drained(client: RawClient) -> None:
    """The limit is free again: three more are accepted."""
    for operation_id in ("a", "b", "c"):
        await client.subscribe(operation_id)
    await client.send({"type": "ping"})
    assert await client.receive() == {"type": "pong"}
