"""Documents over HTTP, from real servers: what is taken, what is not, and for how long one waits."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from lmos.operator import reasons
from lmos.operator.discovery.base import Document, Undiscovered, places
from lmos.operator.discovery.http import MAX_BYTES, HttpDocuments
from lmos.testing.loopback import serving

pytestmark = pytest.mark.anyio

BODY = b'{"id": "billing"}'


async def much() -> AsyncIterator[bytes]:
    for _ in range(40):
        yield b" " * 65536


async def dripping() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(0.05)


async def answer(request: Request) -> Response:
    """Each path acts out one kind of server, the rest of the path aside."""
    match request.path_params["kind"]:
        case "arc":
            return Response(BODY) if request.url.path.endswith("capabilities.json") else Response(status_code=404)
        case "old-card":
            return Response(BODY) if request.url.path.endswith("agent.json") else Response(status_code=404)
        case "echo":
            return JSONResponse({"host": request.headers["host"], "accept": request.headers["accept-encoding"]})
        case "elsewhere":
            return RedirectResponse("http://127.0.0.1:1/secret")
        case "login":
            return PlainTextResponse("who are you?", 401)
        case "broken":
            return PlainTextResponse("trace of secrets", 500)
        case "compressed":
            return Response(b"\x1f\x8b", headers={"content-encoding": "gzip"})
        case "large":
            return StreamingResponse(much())
        case "dripping":
            return StreamingResponse(dripping())
        case _:
            return Response(status_code=404)


APP = Starlette(routes=[Route("/{kind}/{rest:path}", answer)])


async def fetch(url: str, *, hosts: dict[str, str] | None = None, seconds: float = 5.0) -> Document:
    async with HttpDocuments(hosts, seconds=seconds) as documents:
        return await documents.fetch(places(url, ["arc", "a2a"]))


@pytest.mark.parametrize(
    ("kind", "protocol", "path"),
    [("arc", "arc", "capabilities.json"), ("old-card", "a2a", "agent.json")],
    ids=["the first", "the last"],
)
async def test_the_document_of_the_first_place_that_has_one_is_taken(kind: str, protocol: str, path: str) -> None:
    async with serving(APP) as url:
        document = await fetch(f"{url}/{kind}")
    assert document.body == BODY
    assert document.place.protocol == protocol
    assert document.place.url == f"{url}/{kind}/.well-known/{path}"


@pytest.mark.parametrize(
    ("kind", "reason", "message"),
    [
        (
            "nowhere",
            reasons.DOCUMENT_MISSING,
            "404 at .*capabilities.json, .*agent-card.json, .*agent.json; let it serve",
        ),
        ("elsewhere", reasons.UNREACHABLE, "the answer is 307, to elsewhere; redirects are not followed"),
        ("login", reasons.UNREACHABLE, "the answer is 401"),
        ("broken", reasons.UNREACHABLE, "the answer is 500"),
        ("compressed", reasons.INVALID_DOCUMENT, "is compressed"),
        ("large", reasons.INVALID_DOCUMENT, f"larger than {MAX_BYTES} bytes"),
        ("dripping", reasons.UNREACHABLE, "no answer within 0.5 s"),
    ],
)
async def test_what_is_no_document_is_told_with_its_url(kind: str, reason: str, message: str) -> None:
    async with serving(APP) as url:
        with pytest.raises(Undiscovered, match=message) as caught:
            await fetch(f"{url}/{kind}", seconds=0.5)
    finding = caught.value.finding
    assert finding.reason == reason
    assert f"{url}/{kind}/.well-known/capabilities.json" in finding.message
    assert "secret" not in finding.message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1", "onnect"),
        ("http://no-such-host.invalid", "is it up, and may the operator reach it"),
    ],
    ids=["refused", "unknown"],
)
async def test_a_server_that_is_not_there_is_unreachable(url: str, words: str) -> None:
    with pytest.raises(Undiscovered, match=words) as caught:
        await fetch(url)
    assert caught.value.finding.reason == reasons.UNREACHABLE


async def test_a_mapped_host_is_spoken_to_under_its_own_name() -> None:
    async with serving(APP) as url:
        document = await fetch("http://billing.svc:8080/echo", hosts={"billing.svc": url.removeprefix("http://")})
    assert document.body == b'{"host":"billing.svc:8080","accept":"identity"}'
    assert document.place.url == "http://billing.svc:8080/echo/.well-known/capabilities.json"


async def test_certificates_are_checked_for_the_name_that_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("billing.svc").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY), BODY))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        address = "127.0.0.1:{1}".format(*server.sockets[0].getsockname())
        document = await fetch("https://billing.svc", hosts={"billing.svc": address})
        assert document.body == BODY
        with pytest.raises(Undiscovered, match="certificate"):
            await fetch("https://other.svc", hosts={"other.svc": address})


async def test_questions_are_counted_by_what_came_of_them() -> None:
    def count(result: str) -> float:
        return REGISTRY.get_sample_value("lmos_operator_discovery_fetches_total", {"result": result}) or 0.0

    before = count("success"), count(reasons.UNREACHABLE)
    async with serving(APP) as url:
        await fetch(f"{url}/arc")
    with pytest.raises(Undiscovered):
        await fetch("http://127.0.0.1:1")
    assert (count("success"), count(reasons.UNREACHABLE)) == (before[0] + 1, before[1] + 1)


async def test_a_client_that_asked_nobody_closes_too() -> None:
    async with HttpDocuments():
        pass
