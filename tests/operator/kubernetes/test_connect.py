"""From a kubeconfig to an answer: every way to authenticate, and TLS, against a server on loopback."""

from __future__ import annotations

import os
import ssl
import sys
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from aiohttp import web

from lmos.operator.kubernetes.config import BadConfiguration
from lmos.operator.kubernetes.connect import connect
from lmos.operator.kubernetes.credentials import CredentialsFault
from lmos.operator.kubernetes.errors import Unauthorized
from lmos.operator.kubernetes.transport import Unreachable
from tests.operator.kubernetes.loopback import serving

pytestmark = pytest.mark.anyio


class Server:
    """Answers who is asking: the header, and the name in the client's certificate. Refuses those not in `allowed`."""

    def __init__(self) -> None:
        self.allowed: set[str] | None = None
        self.refused = 0

    async def answer(self, request: web.Request) -> web.Response:
        authorization = request.headers.get("Authorization", "")
        if self.allowed is not None and authorization not in self.allowed:
            self.refused += 1
            return web.json_response({"kind": "Status", "code": 401, "message": "Unauthorized"}, status=401)
        assert request.transport is not None
        peer: dict[str, Any] = request.transport.get_extra_info("peercert") or {}
        names = [value for part in peer.get("subject", ()) for key, value in part if key == "commonName"]
        return web.json_response({"authorization": authorization, "names": names})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def tls_server(server: Server, authority: trustme.CA, *names: str, ask: bool = False) -> AsyncGenerator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    if ask:
        authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType]
        context.verify_mode = ssl.CERT_REQUIRED
    async with serving(server.answer, tls=context) as url:
        yield url


def kubeconfig(path: Path, url: str, *, user: Any = None, **cluster: Any) -> str:
    config: dict[str, Any] = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": url, **cluster}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user or {}}],
    }
    path.write_text(yaml.safe_dump(config))
    return str(path)


def encoded(pem: bytes) -> str:
    return b64encode(pem).decode()


async def answer(config: str) -> Any:
    async with connect(kubeconfig=config) as client:
        return await client.get("/x")


def plugin_user(tmp_path: Path, **status: str) -> Any:
    program = tmp_path / "plugin.py"
    program.write_text(f"import json; print(json.dumps({{'status': {status!r}}}))")
    version = "client.authentication.k8s.io/v1beta1"
    return {"exec": {"apiVersion": version, "command": sys.executable, "args": [str(program)]}}


# Headers


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ({}, ""),
        ({"token": "t1"}, "Bearer t1"),
        ({"username": "ann", "password": "pässword"}, "Basic " + encoded("ann:pässword".encode())),
        ({"tokenFile": "token", "token": "t1"}, "Bearer from-file"),
    ],
    ids=["nobody", "token", "password", "token-file"],
)
async def test_a_user_is_told_by_a_header(tmp_path: Path, server: Server, user: Any, sent: str) -> None:
    (tmp_path / "token").write_text("from-file\n")
    async with serving(server.answer) as url:
        found = await answer(kubeconfig(tmp_path / "config", url, user=user))
    assert found["authorization"] == sent


async def test_a_user_may_come_from_a_plugin(tmp_path: Path, server: Server) -> None:
    async with serving(server.answer) as url:
        found = await answer(kubeconfig(tmp_path / "config", url, user=plugin_user(tmp_path, token="t2")))
    assert found["authorization"] == "Bearer t2"


async def test_a_request_that_is_refused_is_sent_again_with_the_new_token(tmp_path: Path, server: Server) -> None:
    (tmp_path / "token").write_text("old")
    user = {"tokenFile": "token"}
    async with (
        serving(server.answer) as url,
        connect(kubeconfig=kubeconfig(tmp_path / "config", url, user=user)) as client,
    ):
        await client.get("/x")
        (tmp_path / "token").write_text("new")
        server.allowed = {"Bearer new"}
        assert (await client.get("/x"))["authorization"] == "Bearer new"
        async with client.stream("/x", query={}) as lines:
            assert b"Bearer new" in await anext(lines)
    assert server.refused == 1


async def test_a_token_that_does_not_change_is_refused_once(tmp_path: Path, server: Server) -> None:
    server.allowed = set()
    async with serving(server.answer) as url:
        with pytest.raises(Unauthorized):
            await answer(kubeconfig(tmp_path / "config", url, user={"token": "t1"}))
    assert server.refused == 1


async def test_credentials_that_cannot_be_had_are_an_error_of_the_store(tmp_path: Path, server: Server) -> None:
    async with serving(server.answer) as url:
        with pytest.raises(CredentialsFault, match="token file"):
            await answer(kubeconfig(tmp_path / "config", url, user={"tokenFile": "missing"}))


# TLS


async def test_the_authority_of_the_kubeconfig_is_trusted(
    tmp_path: Path, server: Server, authority: trustme.CA
) -> None:
    pem = encoded(authority.cert_pem.bytes())
    async with tls_server(server, authority) as url:
        await answer(kubeconfig(tmp_path / "config", url, **{"certificate-authority-data": pem}))


async def test_another_authority_is_not_trusted(tmp_path: Path, server: Server, authority: trustme.CA) -> None:
    pem = encoded(trustme.CA().cert_pem.bytes())
    async with tls_server(server, authority) as url:
        config = kubeconfig(tmp_path / "config", url, **{"certificate-authority-data": pem})
        with pytest.raises(Unreachable, match=r"certificate verify failed.*check certificate-authority"):
            await answer(config)


async def test_verification_can_be_switched_off(tmp_path: Path, server: Server, authority: trustme.CA) -> None:
    async with tls_server(server, authority, "elsewhere.example") as url:
        await answer(kubeconfig(tmp_path / "config", url, **{"insecure-skip-tls-verify": True}))


async def test_a_certificate_may_have_another_name_than_the_address(
    tmp_path: Path, server: Server, authority: trustme.CA
) -> None:
    pem = {"certificate-authority-data": encoded(authority.cert_pem.bytes())}
    async with tls_server(server, authority, "kubernetes.example") as url:
        with pytest.raises(Unreachable, match="certificate"):
            await answer(kubeconfig(tmp_path / "config", url, **pem))
        await answer(kubeconfig(tmp_path / "config", url, **pem, **{"tls-server-name": "kubernetes.example"}))


async def test_a_client_certificate_is_presented(tmp_path: Path, server: Server, authority: trustme.CA) -> None:
    mine = authority.issue_cert("ann@example", common_name="ann")
    user = {
        "client-certificate-data": encoded(mine.cert_chain_pems[0].bytes()),
        "client-key-data": encoded(mine.private_key_pem.bytes()),
    }
    pem = encoded(authority.cert_pem.bytes())
    async with tls_server(server, authority, ask=True) as url:
        found = await answer(kubeconfig(tmp_path / "config", url, user=user, **{"certificate-authority-data": pem}))
    assert found["names"] == ["ann"]


async def test_a_client_certificate_may_come_from_a_plugin(
    tmp_path: Path, server: Server, authority: trustme.CA
) -> None:
    mine = authority.issue_cert("ann@example", common_name="ann")
    certificate, key = mine.cert_chain_pems[0].bytes().decode(), mine.private_key_pem.bytes().decode()
    user = plugin_user(tmp_path, clientCertificateData=certificate, clientKeyData=key)
    pem = encoded(authority.cert_pem.bytes())
    async with tls_server(server, authority, ask=True) as url:
        found = await answer(kubeconfig(tmp_path / "config", url, user=user, **{"certificate-authority-data": pem}))
    assert (found["names"], found["authorization"]) == (["ann"], "")


async def test_no_key_is_left_in_a_file(tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = authority.issue_cert("ann@example")
    user = {
        "client-certificate-data": encoded(mine.cert_chain_pems[0].bytes()),
        "client-key-data": encoded(mine.private_key_pem.bytes()),
    }
    async with connect(kubeconfig=kubeconfig(tmp_path / "config", "https://127.0.0.1:1", user=user)):
        assert os.listdir(tmp_path) == ["config"]


@pytest.mark.parametrize(
    ("cluster", "user", "told"),
    [
        ({"certificate-authority-data": encoded(b"no PEM")}, {}, "certificate-authority is no PEM certificate"),
        ({}, {"client-certificate-data": encoded(b"no PEM")}, "client-certificate and client-key are no PEM pair"),
    ],
)
async def test_certificates_that_are_none_are_named(tmp_path: Path, cluster: Any, user: Any, told: str) -> None:
    config = kubeconfig(tmp_path / "config", "https://127.0.0.1:1", user=user, **cluster)
    with pytest.raises(BadConfiguration, match=told):
        async with connect(kubeconfig=config):
            pass


# Proxies


async def test_a_proxy_of_the_kubeconfig_is_used(tmp_path: Path) -> None:
    asked: list[str] = []

    async def proxy(request: web.Request) -> web.Response:
        asked.append(str(request.url))
        return web.json_response({})

    async with serving(proxy) as url:
        await answer(kubeconfig(tmp_path / "config", "http://kubernetes.example", **{"proxy-url": url}))
    assert asked == ["http://kubernetes.example/x"]


async def test_a_proxy_of_the_environment_is_not_used_for_this_machine(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with serving(server.answer) as url:
        await answer(kubeconfig(tmp_path / "config", url))


async def test_a_proxy_of_the_environment_is_used_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def proxy(request: web.Request) -> web.Response:
        return web.json_response({"url": str(request.url)})

    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with serving(proxy) as url:
        monkeypatch.setenv("http_proxy", url)
        found = await answer(kubeconfig(tmp_path / "config", "http://kubernetes.example"))
    assert found["url"] == "http://kubernetes.example/x"


# The client


async def test_the_client_knows_the_namespace_of_the_context(tmp_path: Path) -> None:
    async with connect(kubeconfig=kubeconfig(tmp_path / "config", "http://127.0.0.1:1")) as client:
        assert client.namespace == "default"
