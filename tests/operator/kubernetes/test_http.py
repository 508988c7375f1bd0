"""The HTTP transport on real sockets: what is sent, lines of any length, and connections that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiohttp import web

from lmos.operator.kubernetes.credentials import Fixed
from lmos.operator.kubernetes.http import Endpoint, HttpTransport
from lmos.operator.kubernetes.transport import TransportError, Unreachable
from tests.operator.kubernetes.loopback import Handler, serving

pytestmark = pytest.mark.anyio

Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def transport(handler: Handler, path: str = "") -> AsyncGenerator[HttpTransport]:
    async with serving(handler) as url:
        opened = HttpTransport(Endpoint(url + path), Fixed.token("t1"))
        yield opened
        await opened.aclose()


@asynccontextmanager
async def raw_transport(answer: Raw) -> AsyncGenerator[HttpTransport]:
    """To a server that reads a request's head and then does what `answer` does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    opened = HttpTransport(Endpoint(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), Fixed())
    try:
        yield opened
    finally:
        await opened.aclose()
        server.close()
        await server.wait_closed()


async def lines_of(opened: HttpTransport) -> list[bytes]:
    async with opened.stream("/x") as stream:
        return [line async for line in stream.lines]


async def test_a_request_is_sent_as_it_is() -> None:
    seen: list[tuple[str, str, bytes, str | None, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        headers = request.headers
        authorization, content_type = headers.get("Authorization"), headers.get("Content-Type")
        seen.append((request.method, request.raw_path, await request.read(), authorization, content_type))
        return web.Response(status=201, body=b"done", headers={"X-More": "1"})

    async with transport(handler, "/k8s/c1/") as opened:
        answer = await opened.request(
            "PATCH", "/apis/a%2Fb", query={"q": "a=b,c", "z": "ü"}, body=b"{}", content_type="application/x"
        )

    assert (answer.status, answer.body, answer.headers["x-more"]) == (201, b"done", "1")
    assert seen == [
        ("PATCH", "/k8s/c1/apis/a%2Fb?q=a%3Db%2Cc&z=%C3%BC", b"{}", "Bearer t1", "application/x"),
    ]


async def test_headers_that_come_twice_are_both_handed_on() -> None:
    async def handler(request: web.Request) -> web.Response:
        response = web.Response()
        response.headers.add("Warning", '299 - "a"')
        response.headers.add("Warning", '299 - "b"')
        return response

    async with transport(handler) as opened:
        answer = await opened.request("GET", "/x")
    assert answer.headers["warning"] == '299 - "a", 299 - "b"'


async def test_a_redirect_is_not_followed_with_our_token() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with transport(handler) as opened:
        assert (await opened.request("GET", "/x")).status == 302


async def test_a_body_of_several_megabytes_arrives() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(len(await request.read()))

    async with transport(handler) as opened, asyncio.timeout(10):
        answer = await opened.request("PUT", "/x", body=b"x" * 3_000_000)
        assert answer.body == b"3000000"


async def test_connections_are_kept() -> None:
    ports: set[int] = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(body=b"ok")

    async with transport(handler) as opened:
        for _ in range(5):
            await opened.request("GET", "/x")
    assert len(ports) == 1


async def test_streams_do_not_hold_up_requests() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/quick":
            return web.Response(body=b"ok")
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(60)
        return response

    async def watch(opened: HttpTransport, begun: asyncio.Semaphore) -> None:
        async with opened.stream("/slow") as stream:
            begun.release()
            assert [line async for line in stream.lines] == []

    async with transport(handler) as opened:
        begun = asyncio.Semaphore(0)
        watches = [asyncio.create_task(watch(opened, begun)) for _ in range(50)]
        for _ in watches:
            await begun.acquire()
        assert (await opened.request("GET", "/quick")).body == b"ok"
        for task in watches:
            task.cancel()
        await asyncio.wait(watches)


async def test_lines_come_as_they_are_written_however_they_are_cut() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b"on", b"e\ntw", b"o\n\nfour", b"\n", b"rest"):
            await response.write(piece)
            await asyncio.sleep(0)
        return response

    async with transport(handler) as opened:
        assert await lines_of(opened) == [b"one", b"two", b"", b"four", b"rest"]


async def test_a_line_may_be_of_any_length() -> None:
    long = b"x" * 8_000_000

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"short\n" + long + b"\nlast\n")
        return response

    async with transport(handler) as opened:
        assert await lines_of(opened) == [b"short", long, b"last"]


async def test_a_line_is_handed_on_at_once() -> None:
    more = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first\n")
        await more.wait()
        await response.write(b"second\n")
        return response

    async with transport(handler) as opened, opened.stream("/x") as stream:
        assert await anext(stream.lines) == b"first"
        more.set()
        assert await anext(stream.lines) == b"second"


async def test_a_stream_that_is_left_ends_the_request() -> None:
    left = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await asyncio.sleep(60)
        finally:
            left.set()
        return response

    async with transport(handler) as opened:
        async with opened.stream("/x") as stream:
            assert stream.status == 200
        async with asyncio.timeout(5):
            await left.wait()


async def _cut_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\none\nt\r\n")
    await writer.drain()


async def _cut_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a":')
    await writer.drain()


async def _nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pass


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await writer.drain()


async def test_a_stream_that_breaks_in_the_middle_of_a_line_is_an_error_after_the_whole_lines() -> None:
    async with raw_transport(_cut_line) as opened, opened.stream("/x") as stream:
        assert await anext(stream.lines) == b"one"
        with pytest.raises(TransportError, match="broke"):
            await anext(stream.lines)


@pytest.mark.parametrize("answer", [_cut_body, _nothing, _reset, _noise])
async def test_a_connection_that_breaks_is_an_error_that_names_the_server(answer: Raw) -> None:
    async with raw_transport(answer) as opened:
        with pytest.raises(TransportError, match=r"the connection to the API server http://127\.0\.0\.1:\d+ broke: .+"):
            await opened.request("PATCH", "/x", body=b"{}")


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with serving(partial(_unused)) as url:
        pass
    opened = HttpTransport(Endpoint(url), Fixed())
    with pytest.raises(Unreachable, match=r"cannot be reached: .*is it running"):
        await opened.request("GET", "/x")
    with pytest.raises(Unreachable):
        async with opened.stream("/x"):
            pass
    await opened.aclose()


async def _unused(request: web.Request) -> web.Response:
    raise AssertionError
