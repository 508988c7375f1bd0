"""A server's certificate follows its files."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from lmos.server.serve import listen, serving
from lmos.server.tls import BadCertificate, renewed_certificate
from lmos.telemetry import names


@pytest.fixture
def cert(tmp_path: Path) -> Path:
    return tmp_path / "tls.crt"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "tls.key"


def _write(authority: trustme.CA, cert: Path, key: Path) -> None:
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_pem.write_to_path(key)
    leaf.cert_chain_pems[0].write_to_path(cert)


async def _hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def _greeting(port: int, authority: trustme.CA) -> str:
    """What a client says who trusts `authority` alone; raises `SSLError` when it is not trusted."""
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.decode().rpartition("\r\n")[2]


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - what is waited for is a line of the log
            await asyncio.sleep(0.01)


async def test_a_renewed_certificate_serves_new_connections(cert: Path, key: Path) -> None:
    old, new = trustme.CA(), trustme.CA()
    _write(old, cert, key)
    with capture_logs() as logs, listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        app = Starlette(routes=[Route("/", _hello)])
        async with renewed_certificate(cert, key, every=0.01) as tls, serving(app, sock, shutdown_seconds=0, tls=tls):
            assert await _greeting(port, old) == "hello"
            _write(new, cert, key)
            await _until(lambda: any(entry["event"] == names.EVENT_CERTIFICATE_RENEWED for entry in logs))
            assert await _greeting(port, new) == "hello"
            with pytest.raises(ssl.SSLCertVerificationError):
                await _greeting(port, old)


async def test_a_certificate_without_its_key_is_logged_and_the_old_one_serves(cert: Path, key: Path) -> None:
    authority = trustme.CA()
    _write(authority, cert, key)
    with capture_logs() as logs, listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        app = Starlette(routes=[Route("/", _hello)])
        async with renewed_certificate(cert, key, every=0.01) as tls, serving(app, sock, shutdown_seconds=0, tls=tls):
            authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(key)
            await _until(lambda: bool(logs))
            assert await _greeting(port, authority) == "hello"
    assert {entry["event"] for entry in logs} == {names.EVENT_CERTIFICATE_BAD}
    assert "KEY_VALUES_MISMATCH" in logs[0]["error"]


async def test_files_that_go_are_logged_and_the_old_certificate_serves(cert: Path, key: Path) -> None:
    _write(trustme.CA(), cert, key)
    with capture_logs() as logs:
        async with renewed_certificate(cert, key, every=0.01):
            os.unlink(cert)
            await _until(lambda: bool(logs))
    assert f"{cert} cannot be read" in logs[0]["error"]


async def test_files_that_are_missing_at_the_start_are_an_error(cert: Path, key: Path) -> None:
    with pytest.raises(BadCertificate, match=r"tls.crt cannot be read: No such file or directory; check the path"):
        async with renewed_certificate(cert, key):
            pass


async def test_files_that_are_no_certificate_are_an_error(cert: Path, key: Path) -> None:
    for path in (cert, key):
        trustme.Blob(b"x").write_to_path(path)
    with pytest.raises(BadCertificate, match="are no certificate with its key"):
        async with renewed_certificate(cert, key):
            pass
