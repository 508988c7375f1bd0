"""`HttpDocuments`: fetches documents over HTTP, from servers that nobody here vouches for.

So all is bounded: time, size, and the number of requests at once. Redirects are not followed: a server must not send
the operator elsewhere, into parts of the network that only the operator reaches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit, urlunsplit

from lmos.operator import metrics, reasons
from lmos.operator.discovery.base import Document, Place, Undiscovered

if TYPE_CHECKING:
    import httpx2

__all__ = ["MAX_BYTES", "SECONDS", "HttpDocuments"]

SECONDS: Final = 5.0
"""How long one request may take, from the first packet to the last byte."""
MAX_BYTES: Final = 1_048_576

_AT_ONCE: Final = 16
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "lmos-operator"}
_REACH: Final = "is it up, and may the operator reach it (Service, NetworkPolicy)?"


class HttpDocuments:
    """A `Documents`; use it as `async with`, from one event loop.

    `hosts` maps host names to `address:port`, for tests and laptops where they do not resolve; the server is still
    spoken to, and its certificate checked, under its own name. Proxies and certificate authorities are those of the
    environment (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`).
    """

    def __init__(self, hosts: Mapping[str, str] | None = None, *, seconds: float = SECONDS) -> None:
        self._hosts = dict(hosts or {})
        self._seconds = seconds
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._client: httpx2.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def fetch(self, places: Sequence[Place]) -> Document:
        """The document of the first place that does not answer 404. Raises `Undiscovered`."""
        result = metrics.RESULT_SUCCESS
        try:
            for place in places:
                if (body := await self._get(place.url)) is not None:
                    return Document(place, body)
            raise Undiscovered(
                reasons.DOCUMENT_MISSING,
                f"the agent describes itself nowhere: 404 at {', '.join(place.url for place in places)}; let it serve "
                "one of these documents",
            )
        except Undiscovered as fault:
            result = fault.finding.reason
            raise
        finally:
            metrics.DISCOVERY_FETCHES.labels(result).inc()

    async def _get(self, url: str) -> bytes | None:
        """The body, `None` for 404."""
        import httpx2

        async with self._slots:
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._read(url)
            except (TimeoutError, httpx2.TimeoutException):
                raise _unreachable(url, f"no answer within {self._seconds:g} s; {_REACH}") from None
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise _unreachable(url, f"{error or type(error).__name__}; {_REACH}") from None

    async def _read(self, url: str) -> bytes | None:
        target, extensions, headers = url, dict[str, Any](), dict(_HEADERS)
        parts = urlsplit(url)
        if (address := self._hosts.get(parts.hostname or "")) is not None:
            target = urlunsplit(parts._replace(netloc=address))
            headers["Host"] = parts.netloc
            extensions = {"sni_hostname": parts.hostname}
        async with self._opened().stream("GET", target, headers=headers, extensions=extensions) as response:
            status = response.status_code
            if status == 404:
                return None
            if 300 <= status < 400:
                fix = "redirects are not followed: let it serve the document here"
                raise _unreachable(url, f"the answer is {status}, to elsewhere; {fix}")
            if status != 200:
                raise _unreachable(url, f"the answer is {status}; it must be 200 with the document, without a login")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise _invalid(url, "is compressed although that was not asked for; serve it as plain JSON")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise _invalid(url, f"is larger than {MAX_BYTES} bytes; shorten descriptions and examples")
            return bytes(body)

    def _opened(self) -> httpx2.AsyncClient:
        """Made with the first request: an operator without agents to ask does without the library."""
        if self._client is None:
            import httpx2

            self._client = httpx2.AsyncClient(
                timeout=self._seconds,
                follow_redirects=False,
                # An agent is asked once in ten minutes: a kept connection would be closed before it is used again.
                limits=httpx2.Limits(max_connections=_AT_ONCE, max_keepalive_connections=0),
            )
        return self._client


def _unreachable(url: str, why: str) -> Undiscovered:
    return Undiscovered(reasons.UNREACHABLE, f"GET {url}: {why}")


def _invalid(url: str, why: str) -> Undiscovered:
    return Undiscovered(reasons.INVALID_DOCUMENT, f"{url}: the document {why}")
