"""The `Transport` that leads to a simulated API server, without a network between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from lmos.operator.kubernetes.transport import Answer, Stream, Unreachable
from lmos.testing.api_server.requests import Request

if TYPE_CHECKING:
    from lmos.testing.api_server.server import ApiServer

__all__ = ["InProcess"]


class InProcess:
    """Requests of `user`. None takes time, but others get their turn with each."""

    def __init__(self, server: ApiServer, user: str) -> None:
        self._server = server
        self._user = user

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        await self._arrive()
        return self._server.answer(Request(method, path, query or {}, body, content_type, self._user))

    @asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str] | None = None) -> AsyncGenerator[Stream]:
        await self._arrive()
        request = Request("GET", path, query or {}, user=self._user)
        answer = self._server.watch(request) if request.watches else self._server.answer(request)
        if isinstance(answer, Answer):
            yield Stream(answer.status, _lines(answer.body), answer.headers)
            return
        async with aclosing(answer) as lines:
            yield Stream(200, lines)

    async def aclose(self) -> None:
        """Nothing: what is open is its user's."""

    async def _arrive(self) -> None:
        await asyncio.sleep(0)
        if not self._server.running:
            raise Unreachable("the simulated API server is stopped")


async def _lines(body: bytes) -> AsyncIterator[bytes]:
    for line in body.splitlines():
        yield line
