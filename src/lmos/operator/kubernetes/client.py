"""`Client`: requests to an API server as JSON by path, retried where that is safe, refusals turned into `StoreError`.

The store, the Lease election and the event recorder use it. It knows HTTP and the API server's manners, no resources;
the bytes go through a `Transport`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from random import random
from typing import Any, Final, cast

import orjson
from prometheus_client import Counter, Histogram

from lmos.operator import metrics
from lmos.operator.base import StoreError
from lmos.operator.kubernetes.errors import Refusal, error_of
from lmos.operator.kubernetes.transport import Answer, Stream, TooSlow, Transport, TransportError, Unreachable
from lmos.operator.kubernetes.warnings import OnWarning, log_once, warnings_in
from lmos.telemetry import names
from lmos.telemetry.spans import detail

__all__ = ["REQUEST_SECONDS", "Client", "Json"]

Json = dict[str, Any]

REQUEST_SECONDS: Final = 30.0
"""How long one attempt may take, until the answer is there, or, of a stream, its header."""

_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_NOT_YAML: Final = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef\xbb\xbf|\xef\xbf[\xbe\xbf]")
"""An apply is read as YAML, which refuses these characters of JSON texts, or takes them for the end of a line."""
_READ_ONCE: Final = {"fieldValidation": "Ignore"}
"""Or the server reads an apply twice, the second time to look for members that are there twice, which ours never are.

Fields that the schema does not know are refused either way.
"""
_JSON: Final = "application/json"

_ATTEMPTS: Final = 5
_BASE_DELAY: Final = 0.25
_MAX_DELAY: Final = 30.0
"""A server that asks to wait longer than this is unavailable."""

_TOO_MANY: Final = 429
_TRANSIENT: Final = frozenset({500, 502, 503, 504})
_NO_ANSWER: Final = "<error>"


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: bytes | None = None
    content_type: str = _JSON
    seconds: float = REQUEST_SECONDS

    @property
    def idempotent(self) -> bool:
        """All that we send but creates: our patches say what shall be, not what to add."""
        return self.method != "POST"


class Client:
    """One API server. `namespace` is that of the configuration's context.

    Paths begin with `/api/` or `/apis/`. What is sent again: after 429, anything; after 500, 502, 503, 504 and a
    connection that broke, all but creates; never more than five times, with growing pauses or those that the server
    asks for. `jitter` gives numbers from 0 to 1. `on_warning` gets the server's warnings; without, they are logged.
    All methods raise `StoreError`, above all those of `errors.py`.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        namespace: str = "default",
        jitter: Callable[[], float] = random,
        on_warning: OnWarning | None = None,
    ) -> None:
        self.namespace = namespace
        self._transport = transport
        self._jitter = jitter
        self._on_warning = on_warning or log_once()
        self._guard: Callable[[], None] = _allow

    def guarded(self, guard: Callable[[], None]) -> Client:
        """The same client, except that `guard` is called before each attempt to change something, and may raise.

        The caller's own check is older than this one by all the pauses in between.
        """
        guarded = copy(self)
        guarded._guard = guard
        return guarded

    async def get(self, path: str, *, query: Mapping[str, str] | None = None) -> Json:
        """The object or list at `path`."""
        return await self._json(_Call("GET", path, query))

    async def create(self, path: str, body: Json) -> Json:
        """POST `body` to the collection `path`. Raises `AlreadyExists`."""
        return await self._json(_Call("POST", path, body=_encoded(path, body)))

    async def replace(self, path: str, body: Json, *, seconds: float = REQUEST_SECONDS) -> Json:
        """PUT; a `metadata.resourceVersion` in `body` makes it conditional."""
        return await self._json(_Call("PUT", path, body=_encoded(path, body), seconds=seconds))

    async def apply(self, path: str, body: Json, *, field_manager: str, force: bool = True) -> Json:
        """Server-side apply; `force` takes over fields that other managers own, else they are a `Conflict`."""
        query = {"fieldManager": field_manager, "force": "true" if force else "false", **_READ_ONCE}
        patch = _NOT_YAML.sub(_escape, _encoded(path, body))
        return await self._json(_Call("PATCH", path, query, patch, _APPLY))

    async def merge(self, path: str, patch: Json, *, field_manager: str) -> Json:
        """JSON merge patch: `null` removes a field, a list replaces the list."""
        return await self._json(_Call("PATCH", path, {"fieldManager": field_manager}, _encoded(path, patch), _MERGE))

    async def delete(self, path: str, *, uid: str | None = None) -> Json:
        """Delete the object, and in the background what it owns. With another `uid` than this it is a `Conflict`."""
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        return await self._json(_Call("DELETE", path, body=_encoded(path, options)))

    @asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str]) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The lines of a watch, as they come. Iterating raises `TransportError` when the connection breaks."""
        call = _Call("GET", path, query)
        for attempt in range(_ATTEMPTS):
            async with AsyncExitStack() as stack:
                stream, body = await self._opened(stack, call)
                if stream.status < 400:
                    yield stream.lines
                    return
            refusal = Refusal.of_body(stream.status, body)
            await self._pause(call, Answer(stream.status, body, stream.headers), refusal, attempt)

    async def aclose(self) -> None:
        """Drop all connections."""
        await self._transport.aclose()

    async def _json(self, call: _Call) -> Json:
        for attempt in range(_ATTEMPTS):
            try:
                answer = await self._once(call)
                if answer.status < 400:
                    return self._taken(call, answer)
            except (TooSlow, Unreachable):
                raise
            except TransportError:
                # The server may have closed a kept connection at the moment in which it was used: a new one decides.
                if attempt > 0 or not call.idempotent:
                    raise
                continue
            await self._pause(call, answer, Refusal.of_body(answer.status, answer.body), attempt)
        raise AssertionError("the last attempt returns or raises")

    def _taken(self, call: _Call, answer: Answer) -> Json:
        for text in warnings_in(answer.headers.get("warning", "")):
            self._on_warning(text)
        try:
            return cast("Json", orjson.loads(answer.body))
        except orjson.JSONDecodeError as error:
            raise TransportError(f"{call.method} {call.path}: the answer is no JSON: {error}; try again") from error

    async def _once(self, call: _Call) -> Answer:
        if call.method != "GET":
            self._guard()
        began = asyncio.get_running_loop().time()
        code = _NO_ANSWER
        with detail(names.SPAN_API_CALL, {names.HTTP_METHOD: call.method, names.URL_PATH: call.path}) as span:
            try:
                async with asyncio.timeout(call.seconds):
                    answer = await self._transport.request(
                        call.method, call.path, query=call.query, body=call.body, content_type=call.content_type
                    )
                code = str(answer.status)
                span.set_attribute(names.HTTP_STATUS, answer.status)
                return answer
            except TimeoutError as error:
                raise _too_slow(call) from error
            finally:
                self._observe(call, code, began)

    async def _opened(self, stack: AsyncExitStack, call: _Call) -> tuple[Stream, bytes]:
        """A stream, left by `stack`, and its body if that is an error's."""
        began = asyncio.get_running_loop().time()
        code = _NO_ANSWER
        try:
            async with asyncio.timeout(call.seconds):
                stream = await stack.enter_async_context(self._transport.stream(call.path, query=call.query))
                body = b"" if stream.status < 400 else b"\n".join([line async for line in stream.lines])
            code = str(stream.status)
            return stream, body
        except TimeoutError as error:
            raise _too_slow(call) from error
        finally:
            self._observe(call, code, began)

    async def _pause(self, call: _Call, answer: Answer, refusal: Refusal, attempt: int) -> None:
        """Wait before the next attempt; raises what the refusal means when there is none."""
        again = refusal.code == _TOO_MANY or (refusal.code in _TRANSIENT and call.idempotent and not refusal.for_good)
        asked = _seconds(answer.headers.get("retry-after")) or float(refusal.retry_after or 0)
        if not again or attempt + 1 >= _ATTEMPTS or asked > _MAX_DELAY:
            raise error_of(refusal, call.method, call.path)
        backoff = _BASE_DELAY * 2**attempt * (1 + self._jitter())
        await asyncio.sleep(min(_MAX_DELAY, max(asked, backoff)))

    def _observe(self, call: _Call, code: str, began: float) -> None:
        requests, seconds = _measured(code, call.method)
        requests.inc()
        seconds.observe(asyncio.get_running_loop().time() - began)


@lru_cache(maxsize=128)
def _measured(code: str, method: str) -> tuple[Counter, Histogram]:
    # Finding a metric by its labels takes longer than counting.
    return metrics.CLIENT_REQUESTS.labels(code, method), metrics.CLIENT_SECONDS.labels(method)


def _allow() -> None:
    """The guard of a client that may do what it wants."""


def _encoded(path: str, body: Json) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as error:
        raise StoreError(f"{path}: what is to be written is no JSON: {error}; correct it") from error


def _escape(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode())


def _too_slow(call: _Call) -> TooSlow:
    said = f"{call.method} {call.path}: no answer within {call.seconds:g} s; is the API server overloaded?"
    return TooSlow(said)


def _seconds(header: str | None) -> float:
    """The value of `Retry-After`; 0 without one, or for a date, which API servers do not send."""
    return float(header) if header is not None and header.isascii() and header.isdigit() else 0.0
