"""A reverse proxy on loopback between one operator and a real API server, which acts out a `Plan` on real connections.

It keeps account of what the operator was told, and finds writes that were needless: the answer is the version that had
reached the operator, in an answer or an event, before the write was first sent. A write that is sent again after a
fault is judged by when it was sent first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from random import Random
from typing import Any, Final, cast

import orjson
from aiohttp import web

from lmos.operator.kubernetes.transport import Answer, Transport, TransportError
from tests.operator.faults.lines import Broken, Lines, Recordings, refusal
from tests.operator.faults.plan import Fault, Kind, Plan

__all__ = ["Proxy"]

_HANG_SECONDS: Final = 40.0
_MOST_LATENCY: Final = 5.0
_NEWS_SECONDS: Final = 1.0
"""So long an operator may take until it knows what it was told."""
_NO_BODY: Final = frozenset({"GET", "DELETE"})
_REFUSED: Final = (Kind.CONFLICT, Kind.GONE, Kind.FORBIDDEN, Kind.TOO_MANY, Kind.SERVER_ERROR)
_BROKEN: Final = (Kind.UNREACHABLE, Kind.RESET_BEFORE)


class Proxy:
    """Use it as `async with proxy.serving() as url:`. `upstream` leads to the API server."""

    def __init__(self, upstream: Transport, plan: Plan, recordings: Recordings) -> None:
        self.needless: list[str] = []
        self.forbidden = 0
        """So often the API server itself has refused, for want of a right."""
        self._upstream = upstream
        self._plan = plan
        self._recordings = recordings
        self._up = True
        self._handling: set[asyncio.Task[web.StreamResponse]] = set()
        self._told: dict[str, tuple[str, float]] = {}
        self._first_sent: dict[tuple[str, str, bytes], float] = {}

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[str]:
        """The base URL."""
        app = _app(self._accounted)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()
            for task in self._handling:
                task.cancel()
            await asyncio.gather(*self._handling, return_exceptions=True)

    async def cut(self, seconds: float) -> None:
        """Answer nothing for a while."""
        self._plan.came_about(Kind.CUT)
        self._up = False
        await asyncio.sleep(seconds)
        self._up = True

    async def _accounted(self, request: web.Request) -> web.StreamResponse:
        """Handle a request; the end of the proxy is its end, even if the client is gone."""
        task = asyncio.create_task(self._handle(request))
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)
        try:
            return await task
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        rng, fault = self._plan.fault_of(request.method, request.path, request.query)
        if not self._up:
            return _broken(request)
        kind = None if fault is None else fault.kind
        if fault is not None and kind in (*_REFUSED, *_BROKEN):
            self._plan.came_about(fault.kind)
            return _broken(request) if kind in _BROKEN else _response(refusal(fault))
        if request.query.get("watch") == "true":
            return await self._watch(request, fault, rng)
        body = await request.read()
        self._sent(request, body)
        if kind is Kind.HANG and rng.random() < 0.5:
            return await self._hang(request)
        try:
            answer = await self._upstream.request(
                request.method,
                request.path,
                query=request.query,
                body=None if request.method in _NO_BODY and not body else body,
                content_type=request.content_type,
            )
        except TransportError:
            return _broken(request)
        self.forbidden += answer.status == 403
        if request.method == "GET" and answer.status == 200:
            self._recordings.note(request.path, request.query, answer.body)
        outcome = await self._after(request, fault, answer)
        self._judge(request, body, answer, arrived=outcome is None)
        return _response(answer) if outcome is None else outcome

    async def _after(self, request: web.Request, fault: Fault | None, answer: Answer) -> web.StreamResponse | None:
        """What comes in place of the answer, if it does not arrive as it is."""
        match None if fault is None else fault.kind:
            case Kind.LOST_ANSWER:
                outcome: web.StreamResponse | None = _broken(request)
            case Kind.FAILED_AFTER:
                assert fault is not None
                outcome = _response(refusal(fault))
            case Kind.TRUNCATED_ANSWER:
                outcome = _response(Answer(answer.status, answer.body[: len(answer.body) // 2], answer.headers))
            case Kind.HANG:
                return await self._hang(request)
            case Kind.LATENCY:
                assert fault is not None
                await asyncio.sleep(min(fault.seconds, _MOST_LATENCY))
                outcome = None
            case Kind.STALE_LIST:
                stale = self._recordings.answer(request.path, request.query)
                if stale is None:
                    return None
                outcome = _response(Answer(200, stale, answer.headers))
            case _:
                return None
        assert fault is not None
        self._plan.came_about(fault.kind)
        return outcome

    async def _hang(self, request: web.Request) -> web.StreamResponse:
        self._plan.came_about(Kind.HANG)
        await asyncio.sleep(_HANG_SECONDS)
        return _broken(request)

    async def _watch(self, request: web.Request, fault: Fault | None, rng: Random) -> web.StreamResponse:
        kind = None if fault is None else fault.kind
        if kind is Kind.HANG:
            return await self._hang(request)
        response = web.StreamResponse(headers={"content-type": "application/json"})
        stale = self._recordings.lines(request.path, request.query) if kind is Kind.STALE_LIST else None
        try:
            if stale is not None:
                self._plan.came_about(Kind.STALE_LIST)
                await response.prepare(request)
                await response.write(b"".join(line + b"\n" for line in stale))
                return response
            async with self._upstream.stream(request.path, query=request.query) as stream:
                if stream.status >= 400:
                    refused = b"\n".join([line async for line in stream.lines])
                    return _response(Answer(stream.status, refused, stream.headers))
                await response.prepare(request)
                async with aclosing(cast("AsyncGenerator[bytes]", stream.lines)) as source:
                    whole = await self._pass_on(request, source, response, fault)
        except (TransportError, ConnectionResetError):
            whole = False
        return response if whole else _broken(request, response if response.prepared else None)

    async def _pass_on(
        self,
        request: web.Request,
        source: AsyncIterator[bytes],
        response: web.StreamResponse,
        fault: Fault | None,
    ) -> bool:
        """Hand on the lines of a watch, as the fault lets them through; whether they end in an orderly way."""
        lines = Lines(fault, lambda: self._plan.came_about(fault.kind) if fault is not None else None)
        delay = min(fault.seconds, _MOST_LATENCY) if fault is not None and fault.kind is Kind.LATENCY else 0.0
        if delay:
            self._plan.came_about(Kind.LATENCY)
        told: list[bytes] = []
        async for line in source:
            if not self._up:
                return False
            self._recordings.hear(request.path, request.query, told, line)
            await asyncio.sleep(delay)
            for item in lines.through(line):
                if isinstance(item, Broken):
                    await response.write(item.partial)
                    return False
                if item is None:
                    return True
                await response.write(item + b"\n")
                self._tell(item)
            if lines.over:
                await asyncio.sleep(2 * _HANG_SECONDS)
                return False
        await response.write(b"".join(item + b"\n" for item in lines.rest() if isinstance(item, bytes)))
        return True

    # Accounts

    def _tell(self, line: bytes) -> None:
        """The operator has been told of an object."""
        try:
            event = orjson.loads(line)
            meta = event["object"]["metadata"]
            name = f"{event['object']['kind']}/{meta['name']}"
        except (orjson.JSONDecodeError, KeyError):
            return
        self._told[name] = meta["resourceVersion"], _now()

    def _sent(self, request: web.Request, body: bytes) -> None:
        self._first_sent.setdefault((request.method, request.path, body), _now())

    def _judge(self, request: web.Request, body: bytes, answer: Answer, *, arrived: bool) -> None:
        """A write has taken effect, or none."""
        attempt = (request.method, request.path, body)
        first = self._first_sent.get(attempt, _now())
        if arrived and answer.status < 429:
            self._first_sent.pop(attempt, None)
        if request.method != "PATCH" or answer.status >= 300 or "apply" not in request.content_type:
            return
        found: dict[str, Any] = orjson.loads(answer.body)
        name, version = f"{found['kind']}/{found['metadata']['name']}", found["metadata"]["resourceVersion"]
        known, since = self._told.get(name, ("", 0.0))
        if known == version and since < first - _NEWS_SECONDS:
            self.needless.append(f"{request.path}: version {version} said the same")
        if arrived:
            self._told[name] = version, _now()


def _app(handle: Any) -> web.Application:
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", handle)
    return app


def _broken(request: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    """Break the connection, in the middle of `response` perhaps."""
    if request.transport is not None:
        request.transport.abort()
    return response or web.Response()


def _response(answer: Answer) -> web.Response:
    headers: Mapping[str, str] = {
        name: value for name, value in answer.headers.items() if name in ("content-type", "retry-after", "warning")
    }
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def _now() -> float:
    return asyncio.get_running_loop().time()
