"""A transport that answers from a script: for what an API server does rarely, and in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson

from lmos.operator.kubernetes.transport import Answer, Stream

__all__ = ["Asked", "Lines", "Script", "event", "raw_agent", "status"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request that was sent, at `time` of the event loop."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    content_type: str
    time: float


@dataclass(frozen=True)
class Lines:
    """A streamed answer: lines, numbers of seconds to wait, an exception at the end perhaps."""

    items: Sequence[bytes | float | Exception] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Script:
    """Answers requests in order with `steps`; an exception is raised, a number of seconds is waited before the next."""

    def __init__(self, *steps: Answer | Lines | Exception | float) -> None:
        self._steps = list(steps)
        self.asked: list[Asked] = []
        self.left = 0
        """Streams that were left, at their end or before."""

    @property
    def done(self) -> bool:
        return not self._steps

    @property
    def pauses(self) -> list[float]:
        """Seconds between the requests."""
        times = [asked.time for asked in self.asked]
        return [round(after - before, 3) for before, after in pairwise(times)]

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        step = await self._next(method, path, query, body, content_type)
        assert isinstance(step, Answer), f"{method} {path} is no stream, the script has {step}"
        return step

    @asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str] | None = None) -> AsyncGenerator[Stream]:
        step = await self._next("GET", path, query, None, "")
        if isinstance(step, Answer):
            step = Lines([step.body], step.status, step.headers)
        try:
            yield Stream(step.status, _told(step.items), step.headers)
        finally:
            self.left += 1

    async def aclose(self) -> None:
        pass

    async def _next(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None, content_type: str
    ) -> Answer | Lines:
        data = None if body is None else orjson.loads(body)
        now = asyncio.get_running_loop().time()
        self.asked.append(Asked(method, path, dict(query or {}), data, content_type, now))
        while True:
            assert self._steps, f"{method} {path} is not in the script"
            step = self._steps.pop(0)
            if isinstance(step, Exception):
                raise step
            if isinstance(step, Answer | Lines):
                return step
            await asyncio.sleep(step)


async def _told(items: Sequence[bytes | float | Exception]) -> AsyncIterator[bytes]:
    for item in items:
        if isinstance(item, Exception):
            raise item
        if isinstance(item, bytes):
            yield item
        else:
            await asyncio.sleep(item)


def status(
    code: int, message: str = "", reason: str = "", *, headers: Mapping[str, str] | None = None, **details: Any
) -> Answer:
    """A refusal, as an API server writes it."""
    body: Json = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    body |= {"message": message, "reason": reason, "details": details}
    return Answer(code, orjson.dumps(body), headers or {})


def event(change: str, found: Json) -> bytes:
    """A line of a watch."""
    return orjson.dumps({"type": change, "object": found})


def raw_agent(name: str, version: int, spec: Any = None, **meta: Any) -> Json:
    """An Agent as an API server sends it."""
    known = {"name": name, "namespace": "default", "resourceVersion": str(version), "uid": f"uid-{name}"}
    return {"apiVersion": "lmos.eclipse/v1", "kind": "Agent", "metadata": known | meta, "spec": spec or {}}
