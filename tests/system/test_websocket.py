"""Hostile WebSocket clients on the platform's port: each is sent away with a readable code, and harms nobody."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import aiohttp
import httpx2
import pytest

from lmos.conversation.exchange import AgentRequest
from lmos.conversation.messages import Message, User
from lmos.protocols.arc.client import FULL_QUERY
from lmos.protocols.arc.types import to_wire
from lmos.testing import LmosProcess
from tests.system.platforms import ECHO_AGENT, body, channel, message_path, up

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

_TEXT, _BINARY, _CLOSE, _PING, _CONTINUATION = 1, 2, 8, 9, 0
INIT: Final = b'{"type":"connection_init"}'


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[LmosProcess, str]]:
    folder = tmp_path_factory.mktemp("websocket")
    (folder / "echo.agent.py").write_text(ECHO_AGENT.replace("NAME", "echo"))
    with up(folder, "echo.agent.py", manifests=channel("echo")) as process:
        yield process, process.ready()


def frame(opcode: int, payload: bytes, *, masked: bool = True, final: bool = True, reserved: int = 0) -> bytes:
    """A WebSocket frame as bytes, right or wrong. The mask is zero, so the payload shows as it is."""
    head = bytes([(0x80 if final else 0) | reserved | opcode])
    size, mask = len(payload), 0x80 if masked else 0
    if size < 126:
        head += bytes([mask | size])
    elif size < 65536:
        head += bytes([mask | 126]) + struct.pack(">H", size)
    else:
        head += bytes([mask | 127]) + struct.pack(">Q", size)
    return head + (b"\0\0\0\0" if masked else b"") + payload


@contextmanager
def connected(url: str, path: str = "/subscriptions") -> Generator[socket.socket]:
    """A bare socket behind the handshake."""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as sock:
        key = base64.b64encode(os.urandom(16)).decode()
        sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: lmos\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        assert head.startswith(b"HTTP/1.1 101")
        yield sock


def close_code(sock: socket.socket) -> tuple[int, str]:
    """Code and reason of the close frame, which must come next."""
    data = b""
    while len(data) < 2 or len(data) < 2 + data[1]:
        piece = sock.recv(4096)
        assert piece, f"closed without a close frame, after {data!r}"
        data += piece
    assert data[0] == 0x80 | _CLOSE
    return struct.unpack(">H", data[2:4])[0], data[4 : 2 + data[1]].decode()


@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        pytest.param(frame(_TEXT, INIT, masked=False), 1002, "masking", id="not masked"),
        pytest.param(frame(3, b"x"), 1002, "opcode", id="reserved opcode"),
        pytest.param(frame(_TEXT, b"x", reserved=0x40), 1002, "reserved bits", id="reserved bit"),
        pytest.param(frame(_PING, b"x", final=False), 1002, "fragmented", id="fragmented ping"),
        pytest.param(frame(_PING, b"x" * 200), 1002, "too long", id="long ping"),
        pytest.param(frame(_CONTINUATION, b"x"), 1002, "continuation", id="continuation of nothing"),
        pytest.param(frame(_CLOSE, struct.pack(">H", 1005)), 1002, "status code", id="bad close code"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 1002, "", id="HTTP"),
        pytest.param(frame(_TEXT, b"\xff\xfe"), 1007, "", id="no UTF-8"),
        pytest.param(frame(_BINARY, INIT), 4400, "not text", id="binary"),
        pytest.param(frame(_TEXT, b"{"), 4400, "not JSON", id="no JSON"),
        pytest.param(frame(_TEXT, b"[]"), 4400, "not a JSON object", id="no object"),
        pytest.param(frame(_TEXT, b'{"type":"\\ud800"}'), 4400, "surrogate", id="lone surrogate"),
        pytest.param(frame(_TEXT, b"[" * 100_000), 4400, "depth", id="nesting"),
        pytest.param(frame(_TEXT, b'{"type":"start"}'), 4400, "'start'", id="unknown type"),
        pytest.param(frame(_TEXT, b'{"type":"subscribe","id":"1","payload":{}}'), 4401, "Unauthorized", id="no init"),
        pytest.param(frame(_TEXT, INIT) + frame(_TEXT, INIT), 4429, "Too many", id="two inits"),
        pytest.param(frame(_TEXT, b'"' + b"a" * 10_000_000 + b'"'), 1009, "1048576 bytes", id="10 MB"),
        pytest.param(b"\x81\xff" + struct.pack(">Q", 2**62) + b"\0\0\0\0", 1009, "16777216", id="says 4 EiB"),
    ],
)
def test_a_client_that_breaks_the_protocol_is_told_why(
    platform: tuple[LmosProcess, str], sent: bytes, code: int, reason: str
) -> None:
    process, url = platform
    before = len(process.err.splitlines())
    with connected(url) as sock:
        sock.sendall(sent)
        if code == 4429:
            assert sock.recv(2 + len(b'{"type":"connection_ack"}'))[2:] == b'{"type":"connection_ack"}'
        found = close_code(sock)

    assert found[0] == code
    assert reason in found[1]
    assert len(process.err.splitlines()) - before <= 1
    assert "Traceback" not in process.err


@pytest.mark.parametrize("linger", [None, 0], ids=["end of file", "reset"])
def test_a_client_that_vanishes_leaves_no_trace(platform: tuple[LmosProcess, str], linger: int | None) -> None:
    process, url = platform
    before = process.err
    with connected(url) as sock:
        sock.sendall(frame(_TEXT, INIT))
        if linger is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, linger))

    assert httpx2.get(f"{url}/livez").status_code == 200
    assert process.err == before


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        pytest.param("GET /nowhere HTTP/1.1\r\n{upgrade}{key}", 403, id="no such path"),
        pytest.param("GET /subscriptions HTTP/1.1\r\n{upgrade}", 400, id="no key"),
        pytest.param("GET /subscriptions HTTP/1.1\r\n{upgrade}Sec-WebSocket-Key: x\r\n", 400, id="bad key"),
        pytest.param(
            "GET /subscriptions HTTP/1.1\r\n{upgrade}{key}Sec-WebSocket-Protocol: graphql-ws\r\n",
            400,
            id="older sub-protocol",
        ),
    ],
)
def test_a_handshake_that_cannot_succeed_is_refused(
    platform: tuple[LmosProcess, str], request_text: str, status: int
) -> None:
    process, url = platform
    upgrade = "Host: lmos\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    key = f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n"
    before = len(process.err.splitlines())
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5) as sock:
        sock.sendall((request_text.format(upgrade=upgrade, key=key) + "\r\n").encode())
        assert sock.recv(4096).startswith(f"HTTP/1.1 {status}".encode())

    assert len(process.err.splitlines()) - before <= 1
    assert "Traceback" not in process.err


@asynccontextmanager
async def acknowledged(url: str) -> AsyncGenerator[aiohttp.ClientWebSocketResponse[Any]]:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/subscriptions") as ws:
        await ws.send_str(INIT.decode())
        assert (await ws.receive_json())["type"] == "connection_ack"
        yield ws


def subscribe(operation: int) -> dict[str, Any]:
    message = Message(role="user", content="Who am I?")
    variables = to_wire(AgentRequest(f"flood-{operation}", (message,), User(id="u1"), turn_id="t1"), None)
    return {"id": str(operation), "type": "subscribe", "payload": {"query": FULL_QUERY, "variables": variables}}


async def test_a_flood_of_subscriptions_is_refused_one_by_one_while_other_turns_go_on(
    platform: tuple[LmosProcess, str],
) -> None:
    process, url = platform
    count = 1_000
    ended: dict[str, str] = {}
    async with acknowledged(url) as ws, httpx2.AsyncClient(base_url=url, timeout=20) as http:

        async def flood() -> None:
            for operation in range(count):
                await ws.send_json(subscribe(operation))

        async def listen() -> None:
            while len(ended) < count:
                received = await ws.receive_json()
                if received["type"] in ("next", "error"):
                    ended[received["id"]] = received["type"]

        post = http.post(message_path("beside"), json=body(agent="echo"), headers={"x-turn-id": "flood"})
        _, _, beside = await asyncio.gather(flood(), listen(), post)

    assert beside.json()["content"] == "beside u1 flood"
    assert set(ended.values()) <= {"next", "error"}
    assert "next" in ended.values()
    assert "Traceback" not in process.err


async def test_an_answer_over_the_wire_is_the_agents(platform: tuple[LmosProcess, str]) -> None:
    _, url = platform
    async with acknowledged(url) as ws:
        await ws.send_json(subscribe(7))
        messages = [await ws.receive_json() for _ in range(2)]

    assert [message["type"] for message in messages] == ["next", "complete"]
    assert messages[0]["payload"]["data"]["agent"]["messages"][0]["content"] == "flood-7 u1 t1"
