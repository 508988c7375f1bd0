"""The REST API under bad input, on a real process: planned answers only, each as its OpenAPI document says."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lmos.testing import LmosProcess
from tests.system.platforms import ECHO_AGENT, body, channel, message_path, up

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
TURN = {"x-turn-id": "t1", "content-type": "application/json"}
MESSAGE = message_path("c1")
POST = f"POST {MESSAGE} HTTP/1.1\r\nHost: lmos\r\n".encode()
REAL = json.dumps(body()).encode()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[LmosProcess, str]]:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "echo.agent.py").write_text(ECHO_AGENT.replace("NAME", "echo"))
    with up(folder, "echo.agent.py", manifests=channel("echo")) as process:
        yield process, process.ready()
        assert "Traceback" not in process.err
        assert process.exit_code is None


@pytest.fixture
def http(platform: tuple[LmosProcess, str]) -> Generator[httpx2.Client]:
    with httpx2.Client(base_url=platform[1], timeout=20) as client:
        yield client


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_schemathesis_finds_nothing_with_all_of_its_checks(platform: tuple[LmosProcess, str], tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("st")), "--config-file", str(CONFIGURATION)]
    command += ["run", f"{platform[1]}/openapi.json", "--checks", "all", "--phases", "examples,coverage,fuzzing"]
    command += ["--max-examples", "25", "--seed", "1", "--warnings", "off", "--no-color"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def refused(response: httpx2.Response, status: int, code: str = "INVALID_REQUEST") -> bool:
    """Whether it is the documented error body, and nothing more."""
    members = response.json()
    return (response.status_code, members["errorCode"], sorted(members)) == (status, code, ["errorCode", "message"])


def _chunks(content: bytes) -> Iterator[bytes]:
    """`content` without its length being declared."""
    for start in range(0, len(content), 65_536):
        yield content[start : start + 65_536]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"{not json", 400, id="no JSON"),
        pytest.param(b"null", 400, id="null"),
        pytest.param(b"\xff\xfe\x00", 400, id="no UTF-8"),
        pytest.param(REAL.replace(b"Who", b"\xc3\x28"), 400, id="no UTF-8 in a text"),
        pytest.param(REAL.replace(b"Who", b"\\ud800"), 400, id="lone surrogate"),
        pytest.param(REAL.replace(b'"u1"', b'"' + b"u" * 257 + b'"'), 400, id="long user id"),
        pytest.param(REAL.replace(b'"u1"', b'"a\\u0000b"'), 400, id="NUL in an id"),
        pytest.param(REAL.replace(b'"u1"', b"1e999"), 400, id="infinite number"),
        pytest.param(b"[" * 200_000, 400, id="nesting"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, id="nested objects"),
        pytest.param(REAL.replace(b"Who", b"x" * 10_000_000), 413, id="10 MB"),
        pytest.param(b"[" + b"0," * 400_000 + b"0]", 400, id="many elements"),
    ],
)
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_bad_body_is_refused(http: httpx2.Client, content: bytes, status: int, declared: bool) -> None:
    sent: Any = content if declared else _chunks(content)
    try:
        response = http.post(MESSAGE, content=sent, headers=TURN)
    except httpx2.TransportError:
        # Who goes on sending after the answer may find the connection closed before reading it.
        assert status == 413
        return

    assert refused(response, status)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        pytest.param("POST", MESSAGE, {"x-turn-id": "x" * 257}, 400, "INVALID_REQUEST", id="long turn id"),
        pytest.param("POST", MESSAGE, {"x-turn-id": ""}, 400, "INVALID_REQUEST", id="empty turn id"),
        pytest.param("POST", MESSAGE, {"x-subset": "a\tb"}, 400, "INVALID_REQUEST", id="tab in a header"),
        pytest.param("POST", MESSAGE, {"content-type": "text/plain"}, 400, "INVALID_REQUEST", id="content type"),
        pytest.param("POST", message_path("a%00b"), {}, 400, "INVALID_REQUEST", id="NUL in the path"),
        pytest.param("POST", message_path("x" * 3000), {}, 400, "INVALID_REQUEST", id="long conversation id"),
        pytest.param("POST", message_path("a%2Fb"), {}, 404, "NOT_FOUND", id="slash in an id"),
        pytest.param(
            "GET", "/apis/v1/agents?tenantId=%00&channelId=x", {}, 400, "INVALID_REQUEST", id="NUL in a query"
        ),
        pytest.param("GET", "/apis/v1/nothing", {}, 404, "NOT_FOUND", id="no such path"),
        pytest.param("PUT", MESSAGE, {}, 405, "METHOD_NOT_ALLOWED", id="PUT"),
        pytest.param("OPTIONS", MESSAGE, {}, 405, "METHOD_NOT_ALLOWED", id="OPTIONS"),
        pytest.param("TRACE", "/readyz", {}, 405, "METHOD_NOT_ALLOWED", id="TRACE"),
        pytest.param("DELETE", "/graphql", {}, 405, "METHOD_NOT_ALLOWED", id="DELETE"),
        pytest.param("LMOS", MESSAGE, {}, 400, "INVALID_REQUEST", id="unknown method"),
    ],
)
def test_a_bad_request_is_answered_in_the_error_format(
    http: httpx2.Client, method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    content = REAL if method == "POST" else b""
    response = http.request(method, path, content=content, headers=TURN | headers)

    assert refused(response, status, code)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/openapi.json", "/apis/v1/agents/acme/web"])
def test_head_is_answered_wherever_get_is(http: httpx2.Client, path: str) -> None:
    head, get = http.head(path), http.get(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_a_method_that_is_not_allowed_names_those_that_are(http: httpx2.Client) -> None:
    assert http.put(MESSAGE).headers["allow"] == "POST"
    assert set(http.put("/apis/v1/agents").headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert set(http.put("/livez").headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", 400, id="TLS"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", 400, id="version"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: a\r\nx" + b"\x00" * 5 + b": y\r\n\r\n", 400, id="NUL in a header"),
        pytest.param(
            POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            id="two lengths",
        ),
        pytest.param(
            POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
            id="bad chunk",
        ),
    ],
)
def test_what_is_no_http_is_refused(platform: tuple[LmosProcess, str], sent: bytes, status: int) -> None:
    answer = _exchange(platform[1], [sent])

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def test_a_head_without_end_is_refused(platform: tuple[LmosProcess, str]) -> None:
    answer = _exchange(platform[1], [b"GET /livez HTTP/1.1\r\n", *[b"x-long: " + b"a" * 8_000 + b"\r\n"] * 2_000])

    assert answer.startswith(b"HTTP/1.1 431 ")


def _exchange(url: str, pieces: list[bytes]) -> bytes:
    """Send until the other side closes; what it answered."""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return sock.recv(4096)
