"""`connect`: a `Client` for the cluster that the configuration names. The CLI and `lmos operator` begin here.

async with connect() as client:
    store = KubernetesStore(client)
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from lmos.clock import Clock, SystemClock
from lmos.operator.kubernetes.client import Client
from lmos.operator.kubernetes.config import BadConfiguration, Configuration, configuration
from lmos.operator.kubernetes.credentials import Credentials, ExecPlugin, Fixed, TokenFile
from lmos.operator.kubernetes.http import Endpoint, HttpTransport
from lmos.operator.kubernetes.tls import load_client_certificate, tls_context
from lmos.operator.kubernetes.warnings import OnWarning

__all__ = ["connect", "transport_to"]


@asynccontextmanager
async def connect(
    *, kubeconfig: str | None = None, context: str | None = None, on_warning: OnWarning | None = None
) -> AsyncGenerator[Client]:
    """A client, closed at the end; `on_warning` as for `Client`.

    The cluster is that of `kubeconfig` (a file, or several as in `KUBECONFIG`), else of `KUBECONFIG`, else that of the
    Pod we run in, else of `~/.kube/config`. Raises `BadConfiguration` and `CredentialsFault`; the
    server is not contacted.
    """
    found = configuration(kubeconfig=kubeconfig, context=context)
    transport = transport_to(found)
    client = Client(transport, namespace=found.namespace, on_warning=on_warning)
    try:
        await transport.authenticate()
        yield client
    finally:
        await client.aclose()


def transport_to(found: Configuration, *, clock: Clock | None = None) -> HttpTransport:
    """A transport that is not connected yet. Call it in the event loop that uses it. Raises `BadConfiguration`."""
    tls = _tls(found) if found.server.startswith("https://") else None
    endpoint = Endpoint(found.server, tls=tls, tls_name=found.tls_name, proxy=found.proxy or _environment_proxy(found))
    return HttpTransport(endpoint, _credentials(found, tls, clock or SystemClock()))


def _tls(found: Configuration) -> ssl.SSLContext:
    try:
        tls = tls_context(authority=found.authority, insecure=found.insecure)
    except (ssl.SSLError, ValueError) as error:
        raise BadConfiguration(
            f"{found.source}: certificate-authority is no PEM certificate: {error}; correct it"
        ) from error
    if found.user.certificate is not None:
        try:
            load_client_certificate(tls, found.user.certificate, found.user.key or b"")
        except (ssl.SSLError, OSError) as error:
            raise BadConfiguration(
                f"{found.source}: client-certificate and client-key are no PEM pair: {error}; correct them"
            ) from error
    return tls


def _credentials(found: Configuration, tls: ssl.SSLContext | None, clock: Clock) -> Credentials:
    user = found.user
    if user.token_file is not None:
        return TokenFile(user.token_file)
    if user.token is not None:
        return Fixed.token(user.token)
    if user.username is not None:
        return Fixed.password(user.username, user.password or "")
    if user.exec_spec is not None:
        return ExecPlugin(user.exec_spec, clock=clock, tls=tls, cluster=_told_of_cluster(found))
    return Fixed()


def _told_of_cluster(found: Configuration) -> Mapping[str, Any]:
    told: dict[str, Any] = {"server": found.server, "insecure-skip-tls-verify": found.insecure}
    if found.authority is not None:
        told["certificate-authority-data"] = b64encode(found.authority).decode()
    if found.tls_name is not None:
        told["tls-server-name"] = found.tls_name
    if found.proxy is not None:
        told["proxy-url"] = found.proxy
    return told


def _environment_proxy(found: Configuration) -> str | None:
    """That of HTTPS_PROXY or HTTP_PROXY, except for this machine and what NO_PROXY names."""
    url = urlsplit(found.server)
    host = url.hostname or ""
    if host == "localhost" or host.startswith("127.") or host == "::1" or proxy_bypass(host):
        return None
    return getproxies().get(url.scheme)
