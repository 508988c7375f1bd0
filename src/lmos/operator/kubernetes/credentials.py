"""How requests say who sends them: headers that stay, a token file that is read again, an exec plugin's tokens.

`HttpTransport` asks before each request and after a 401; `connect` makes them of a configuration. A client certificate
is no header: the TLS context has it, also one that an exec plugin hands out.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from lmos.clock import Clock
from lmos.operator.base import StoreError
from lmos.operator.kubernetes.config import ExecSpec
from lmos.operator.kubernetes.tls import load_client_certificate

__all__ = ["Credentials", "CredentialsFault", "ExecPlugin", "Fixed", "TokenFile"]

_REREAD_SECONDS: Final = 60.0
"""A kubelet writes a new token long before the old one expires."""
_PLUGIN_SECONDS: Final = 120.0
_SHOWN: Final = 500


class CredentialsFault(StoreError):
    """Credentials cannot be had: a file is missing, a plugin fails. The message names it, and the fix."""


class Credentials(Protocol):
    """Who we are. Both methods raise `CredentialsFault`."""

    async def headers(self) -> Mapping[str, str]:
        """The headers of the next request."""
        ...

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """The server answered 401 to the headers `refused`, as `headers` gave them: whether there are others now."""
        ...


class Fixed:
    """Headers that never change: a token, a password, or none for who has a certificate."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        self._headers = dict(headers or {})

    @classmethod
    def token(cls, token: str) -> Fixed:
        return cls(_bearer(token))

    @classmethod
    def password(cls, username: str, password: str) -> Fixed:
        return cls({"Authorization": "Basic " + b64encode(f"{username}:{password}".encode()).decode()})

    async def headers(self) -> Mapping[str, str]:
        return self._headers

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Never."""
        return False


class TokenFile:
    """A token that somebody else keeps fresh in a file, as a kubelet does for a Pod's ServiceAccount."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._headers: dict[str, str] = {}
        self._read_at = float("-inf")

    async def headers(self) -> Mapping[str, str]:
        if asyncio.get_running_loop().time() - self._read_at >= _REREAD_SECONDS:
            self._read()
        return self._headers

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Whether the file has another token by now."""
        self._read()
        return self._headers != refused

    def _read(self) -> None:
        try:
            token = self._path.read_text().strip()
        except OSError as error:
            raise CredentialsFault(
                f"the token file {self._path} cannot be read: {error.strerror}; is a ServiceAccount token mounted?"
            ) from error
        if not token:
            raise CredentialsFault(f"the token file {self._path} is empty; is a ServiceAccount token mounted?")
        self._headers = _bearer(token)
        self._read_at = asyncio.get_running_loop().time()


class ExecPlugin:
    """Runs a kubeconfig's `exec` command for a token or a client certificate, again when that has expired.

    `tls` gets the certificate; `cluster` is what the plugin is told of the cluster if it wants to know. The plugin has
    no terminal.
    """

    def __init__(self, spec: ExecSpec, *, clock: Clock, tls: ssl.SSLContext | None, cluster: Mapping[str, Any]) -> None:
        self._spec = spec
        self._clock = clock
        self._tls = tls
        self._cluster = cluster
        self._headers: dict[str, str] | None = None
        self._given: tuple[str | None, str | None] = (None, None)
        self._expires: datetime | None = None
        self._running = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        async with self._running:
            expired = self._expires is not None and self._clock.now() >= self._expires
            if self._headers is None or expired:
                self._headers = await self._run()
            return self._headers

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Whether the plugin gives other credentials by now; many requests may ask, one runs it."""
        async with self._running:
            if self._headers is not refused:
                return True
            before = self._given
            self._headers = await self._run()
            return self._given != before

    async def _run(self) -> dict[str, str]:
        spec, name = self._spec, self._spec.command
        try:
            process = await asyncio.create_subprocess_exec(
                name,
                *spec.args,
                env=os.environ | spec.env | {"KUBERNETES_EXEC_INFO": self._info()},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            hint = f"; {spec.install_hint.strip()}" if spec.install_hint else ""
            raise CredentialsFault(
                f"the exec plugin {name!r} of {spec.source} cannot be run: {error.strerror}; install it{hint}"
            ) from error
        try:
            async with asyncio.timeout(_PLUGIN_SECONDS):
                output, said = await process.communicate()
        except TimeoutError as error:
            raise CredentialsFault(
                f"the exec plugin {name!r} of {spec.source} gave nothing within {_PLUGIN_SECONDS:g} s; does it wait "
                "for a login? Log in first"
            ) from error
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode != 0:
            raise CredentialsFault(
                f"the exec plugin {name!r} of {spec.source} ended with code {process.returncode}: {_text(said)}"
            )
        return self._take(output)

    def _info(self) -> str:
        told: dict[str, Any] = {"interactive": False}
        if self._spec.provide_cluster_info:
            told["cluster"] = self._cluster
        return orjson.dumps({"apiVersion": self._spec.api_version, "kind": "ExecCredential", "spec": told}).decode()

    def _take(self, output: bytes) -> dict[str, str]:
        """Headers from the `ExecCredential` that the plugin has printed."""
        source = f"the exec plugin {self._spec.command!r} of {self._spec.source}"
        try:
            status: dict[str, str] = orjson.loads(output)["status"]
            token, certificate = status.get("token"), status.get("clientCertificateData")
            expires = status.get("expirationTimestamp")
            self._expires = datetime.fromisoformat(expires) if expires else None
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise CredentialsFault(f"{source} printed no ExecCredential with a status: {_text(output)}") from error
        if certificate:
            if self._tls is None:
                raise CredentialsFault(f"{source} gives a client certificate, but the server's address is no https://")
            try:
                load_client_certificate(self._tls, certificate.encode(), status.get("clientKeyData", "").encode())
            except (ssl.SSLError, OSError) as error:
                raise CredentialsFault(f"{source} gives a client certificate that is none: {error}") from error
        if not (token or certificate):
            raise CredentialsFault(f"{source} gave neither a token nor a client certificate")
        self._given = token, certificate
        return _bearer(token) if token else {}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _text(output: bytes) -> str:
    return " ".join(output.decode(errors="replace").split())[:_SHOWN] or "(it said nothing)"
