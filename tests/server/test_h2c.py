"""Requests that offer HTTP/2 on a plain socket, as Java's HTTP client sends them."""

from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lmos.testing import serving

pytestmark = pytest.mark.anyio

OFFER = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


APP = Starlette(routes=[Route("/", echo, methods=["POST"])])


async def send(*requests: str) -> list[str]:
    """Bodies of the answers to `requests`, sent one after the other on one socket."""
    bodies: list[str] = []
    async with serving(APP) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for request in requests:
            writer.write(request.encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            bodies.append((await reader.readexactly(length)).decode())
        writer.close()
        await writer.wait_closed()
    return bodies


def post(body: str, headers: str = "") -> str:
    return f"POST / HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}"


async def test_the_body_of_a_request_that_offers_h2c_arrives() -> None:
    assert await send(post("first", OFFER), post("second", OFFER), post("third")) == ["first", "second", "third"]


async def test_an_offer_in_the_last_header_is_ignored_too() -> None:
    request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: Upgrade\r\nupgrade:h2c\r\n\r\nhi"
    assert await send(request) == ["hi"]


async def test_a_body_that_looks_like_an_offer_stays_as_it_is() -> None:
    body = f"x\r\n{OFFER}\r\n"
    assert await send(post(body, OFFER), post(body)) == [body, body]
