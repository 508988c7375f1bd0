"""Addresses of agents, as text: what `spec.endpoint` and a ChannelRouting's `host` mean on the wire.

The operator writes `host` with it, the runtime's agent clients dial what it returns, validation refuses what it cannot
read. Nothing is resolved or contacted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import urlsplit

from lmos.resources.agent import Endpoint

__all__ = ["BadEndpoint", "check_endpoint", "host_of", "subscription_url"]

SUBSCRIPTIONS = "/subscriptions"
# The port of an ARC agent whose address names none; Eclipse LMOS's runtime dials it too.
ARC_PORT = 8080

# Scheme: the WebSocket scheme of the same server, and the port when the url has none.
_SCHEMES = {"http": ("ws", 80), "ws": ("ws", 80), "https": ("wss", 443), "wss": ("wss", 443)}


class BadEndpoint(ValueError):
    """An endpoint, url or host that cannot be dialled; `fix` says what to write."""

    def __init__(self, text: str, reason: str, fix: str) -> None:
        super().__init__(f"endpoint {text!r} {reason}; {fix}")
        self.text = text
        self.reason = reason
        self.fix = fix


@dataclass(frozen=True, slots=True)
class _Address:
    scheme: str
    host: str
    port: int | None
    path: str


def subscription_url(endpoint: Endpoint | str) -> str:
    """The WebSocket url on which an ARC agent takes subscriptions.

    A url without a path gets `/subscriptions`; one with a path is taken as it is. Text without a scheme is the `host`
    of a ChannelRouting: port 8080 unless it names one. Raises `BadEndpoint`.
    """
    if isinstance(endpoint, Endpoint):
        if endpoint.protocol != "arc":
            raise BadEndpoint(endpoint.url or "", f"has protocol {endpoint.protocol!r}", "only 'arc' has subscriptions")
        endpoint = _url_of(endpoint)
    if "://" not in endpoint:
        return f"ws://{_host_with_port(endpoint)}{SUBSCRIPTIONS}"
    address = _parse(endpoint)
    scheme, _ = _SCHEMES[address.scheme]
    port = "" if address.port is None else f":{address.port}"
    path = SUBSCRIPTIONS if address.path in ("", "/") else address.path
    return f"{scheme}://{address.host}{port}{path}"


def host_of(endpoint: Endpoint | str) -> str:
    """`host:port` of an endpoint or url, port 80 or 443 by scheme when it names none. Raises `BadEndpoint`."""
    address = _parse(_url_of(endpoint) if isinstance(endpoint, Endpoint) else endpoint)
    _, default = _SCHEMES[address.scheme]
    return f"{address.host}:{default if address.port is None else address.port}"


def check_endpoint(endpoint: Endpoint) -> None:
    """Raises `BadEndpoint` unless `local` has no url, and `arc` and `a2a` one with a scheme, a host and no secrets."""
    if endpoint.protocol != "local":
        _parse(_url_of(endpoint))
    elif endpoint.url is not None:
        raise BadEndpoint(
            endpoint.url,
            "is the url of a 'local' agent, which lives in the platform's own process",
            "remove url, or set protocol to 'arc' or 'a2a'",
        )


def _url_of(endpoint: Endpoint) -> str:
    if endpoint.protocol == "local":
        raise BadEndpoint("", "of protocol 'local' has no address", "use the address of the platform itself")
    if endpoint.url is None:
        fix = "add url, as in 'http://agent.example:8080', or set protocol to 'local'"
        raise BadEndpoint("", f"of protocol {endpoint.protocol!r} has no url", fix)
    return endpoint.url


def _parse(url: str) -> _Address:
    # urlsplit would drop tabs and line ends without a word.
    if re.search(r"[\s\x00-\x1f\x7f\\]", url):
        raise BadEndpoint(url, "contains a blank, backslash or control character", "remove it")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadEndpoint(url, f"is no url: {error}", "write it as in 'http://agent.example:8080'") from None
    if parts.scheme not in _SCHEMES:
        raise BadEndpoint(url, "has no known scheme", "begin it with http://, https://, ws:// or wss://")
    if parts.username is not None or parts.password is not None:
        raise BadEndpoint("<hidden>", "carries credentials", "remove the part before '@': manifests are not secret")
    if "?" in url or "#" in url:
        raise BadEndpoint(url, "has a query or fragment", "end it with its path: it is the base of other urls")
    if not host or not (":" in host or re.fullmatch(r"[\w.-]+", host)):
        raise BadEndpoint(url, "names no host", "write it as in 'http://agent.example:8080'")
    if port == 0 or parts.netloc.endswith(":"):
        raise BadEndpoint(url, "has no usable port", "write a port from 1 to 65535, or none")
    return _Address(parts.scheme, f"[{host}]" if ":" in host else host, port, parts.path)


def _host_with_port(host: str) -> str:
    """`host` of a ChannelRouting with its port; a bare IPv6 address gets its brackets."""
    if _is_ipv6(host):
        return f"[{host}]:{ARC_PORT}"
    address = _parse(f"ws://{host}")
    if address.path:
        raise BadEndpoint(host, "is neither a host nor a url", "write 'host', 'host:port' or a url with its scheme")
    return f"{address.host}:{ARC_PORT if address.port is None else address.port}"


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except AddressValueError:
        return False
    return True
