"""A network in virtual time between operators and the simulated API server, which acts out a `Plan`.

What was sent arrives, whatever has become of the sender: a request of a process that is killed takes effect, as it does
on a real wire. Nothing here runs in a process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from random import Random
from typing import Any, Final

from lmos.operator.kubernetes.transport import Answer, Stream, TransportError, Unreachable
from lmos.testing.api_server import ApiServer, Request
from tests.operator.faults.lines import Broken, Item, Lines, Recordings, refusal
from tests.operator.faults.loop import Process, VirtualLoop, outside
from tests.operator.faults.plan import Fault, Kind, Plan

__all__ = ["Network"]

_LATENCY: Final = (0.001, 0.01)
_RESET: Final = "connection reset by peer"

OnSend = Callable[[Process, Request], None]
OnAnswer = Callable[[Request, Answer], None]


class Network:
    """Leads to `server`. `on_send` is told of each request when it leaves its process, `on_answer` of its effect."""

    def __init__(
        self, loop: VirtualLoop, server: ApiServer, plan: Plan, *, on_send: OnSend, on_answer: OnAnswer
    ) -> None:
        self.loop = loop
        self.server = server
        self.plan = plan
        self.on_send = on_send
        self.on_answer = on_answer
        self.recordings = Recordings()
        self.up = True
        self._fronts: list[Front] = []
        self._context = outside()

    def connect(self, process: Process) -> Front:
        """The transport of one process."""
        front = Front(self, process)
        process.on_death.append(front.drop)
        self._fronts.append(front)
        return front

    def cut(self, seconds: float) -> None:
        """Break all connections, and let none come about for a while."""
        self.up = False
        for front in self._fronts:
            front.break_streams()
        self.later(seconds, self._mend)

    def lose_what_is_under_way(self, process: Process) -> None:
        """What a process has sent and has not arrived yet never does."""
        for front in self._fronts:
            if front.process is process:
                front.loses_what_is_under_way = True

    def _mend(self) -> None:
        self.up = True

    def later(self, seconds: float, callback: Callable[..., object], *args: Any) -> None:
        """Call it after a while, whoever is paused or dead by then."""
        self.loop.call_later(seconds, callback, *args, context=self._context)

    def start(self, pump: Any) -> asyncio.Task[None]:
        """Run a task that belongs to no process."""
        return self.loop.create_task(pump, context=outside())


class Front:
    """A `Transport` with faults."""

    def __init__(self, network: Network, process: Process) -> None:
        self.process = process
        self._network = network
        self._pumps: dict[asyncio.Task[None], asyncio.Queue[Item]] = {}
        self.loses_what_is_under_way = False
        """Whether requests that have not arrived yet never do."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        self._check()
        request = Request(method, path, query or {}, body, content_type, self.process.name)
        network = self._network
        network.on_send(self.process, request)
        rng, fault = network.plan.fault_of(method, path, request.query)
        answered: asyncio.Future[Answer] = network.loop.create_future()
        network.later(rng.uniform(*_LATENCY), self._arrive, request, fault, rng, answered)
        return await answered

    @asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str] | None = None) -> AsyncGenerator[Stream]:
        self._check()
        request = Request("GET", path, query or {}, user=self.process.name)
        rng, fault = self._network.plan.fault_of("GET", path, request.query)
        opened: asyncio.Future[Answer] = self._network.loop.create_future()
        self._network.later(rng.uniform(*_LATENCY), self._open, request, fault, rng, opened)
        answer = await opened
        if answer.status >= 400:
            yield Stream(answer.status, _lines(answer.body), answer.headers)
            return
        lines: asyncio.Queue[Item] = asyncio.Queue()
        pump = self._network.start(self._pump(request, fault, rng, lines))
        self._pumps[pump] = lines
        try:
            yield Stream(200, _received(lines))
        finally:
            self._pumps.pop(pump, None)
            pump.cancel()

    async def aclose(self) -> None:
        """Nothing is kept."""

    def _check(self) -> None:
        if self.process.buried:
            raise Unreachable("this process is dead")

    def drop(self) -> None:
        """The process is gone, and its connections with it."""
        for pump in self._pumps:
            pump.cancel()
        self._pumps.clear()

    def break_streams(self) -> None:
        """The network is cut."""
        pumps = dict(self._pumps)
        self.drop()
        for lines in pumps.values():
            lines.put_nowait(Broken())

    def _arrive(self, request: Request, fault: Fault | None, rng: Random, answered: asyncio.Future[Answer]) -> None:
        """The request reaches the server, or what stands for it."""
        if self.loses_what_is_under_way:
            return
        plan, delay = self._network.plan, rng.uniform(*_LATENCY)
        outcome = self._before(fault)
        if outcome is None:
            if fault is not None and fault.kind is Kind.HANG and rng.random() < 0.5:
                plan.came_about(fault.kind)
                return
            outcome = self._served(request)
            if fault is not None:
                outcome, delay = self._after(request, fault, outcome, delay)
        if outcome is not None:
            self._network.later(delay, _reply, answered, outcome)

    def _before(self, fault: Fault | None) -> Answer | TransportError | None:
        """What is answered without asking the server."""
        match None if fault is None else fault.kind:
            case Kind.CONFLICT | Kind.GONE | Kind.FORBIDDEN | Kind.TOO_MANY | Kind.SERVER_ERROR:
                assert fault is not None
                outcome: Answer | TransportError = refusal(fault)
            case Kind.UNREACHABLE:
                outcome = Unreachable("connection refused")
            case Kind.RESET_BEFORE:
                outcome = TransportError(_RESET)
            case _:
                return None
        assert fault is not None
        self._network.plan.came_about(fault.kind)
        return outcome

    def _served(self, request: Request) -> Answer | TransportError:
        if not self._is_reachable:
            return Unreachable("connection refused")
        answer = self._network.server.answer(request)
        self._network.on_answer(request, answer)
        if answer.status == 200:
            self._network.recordings.note(request.path, request.query, answer.body)
        return answer

    @property
    def _is_reachable(self) -> bool:
        return self._network.up and self._network.server.running

    def _after(
        self, request: Request, fault: Fault, outcome: Answer | TransportError, delay: float
    ) -> tuple[Answer | TransportError | None, float]:
        """What becomes of an answer on its way back."""
        if isinstance(outcome, TransportError):
            return outcome, delay
        match fault.kind:
            case Kind.LOST_ANSWER:
                outcome = TransportError(_RESET)
            case Kind.FAILED_AFTER:
                outcome = refusal(fault)
            case Kind.TRUNCATED_ANSWER:
                outcome = Answer(outcome.status, outcome.body[: len(outcome.body) // 2], outcome.headers)
            case Kind.LATENCY:
                delay = fault.seconds
            case Kind.HANG:
                self._network.plan.came_about(fault.kind)
                return None, delay
            case Kind.STALE_LIST:
                stale = self._network.recordings.answer(request.path, request.query)
                if stale is None:
                    return outcome, delay
                outcome = Answer(200, stale, outcome.headers)
            case _:
                return outcome, delay
        self._network.plan.came_about(fault.kind)
        return outcome, delay

    def _open(self, request: Request, fault: Fault | None, rng: Random, opened: asyncio.Future[Answer]) -> None:
        """The header of a stream: a refusal, or that there is one."""
        outcome = self._before(fault)
        if outcome is None and not self._is_reachable:
            outcome = Unreachable("connection refused")
        if outcome is None and fault is not None and fault.kind is Kind.HANG:
            self._network.plan.came_about(fault.kind)
            return
        if outcome is None:
            found = self._network.server.watch(request)
            outcome = found if isinstance(found, Answer) else Answer(200, b"")
        self._network.later(rng.uniform(*_LATENCY), _reply, opened, outcome)

    async def _pump(self, request: Request, fault: Fault | None, rng: Random, received: asyncio.Queue[Item]) -> None:
        """Hand on the lines of a watch, as the fault lets them through."""
        network = self._network
        delay = rng.uniform(*_LATENCY)
        if fault is not None and fault.kind is Kind.LATENCY:
            network.plan.came_about(fault.kind)
            delay = fault.seconds

        def send(item: Item) -> None:
            network.later(delay, received.put_nowait, item)

        lines = Lines(fault, lambda: network.plan.came_about(fault.kind) if fault is not None else None)
        if fault is not None and fault.kind is Kind.STALE_LIST:
            stale = network.recordings.lines(request.path, request.query)
            if stale is not None:
                network.plan.came_about(fault.kind)
                for line in (*stale, None):
                    send(line)
                return
        found = network.server.watch(request)
        if isinstance(found, Answer):  # it was there a moment ago
            send(Broken())
            return
        told: list[bytes] = []
        async with aclosing(found) as source:
            try:
                async for line in source:
                    network.recordings.hear(request.path, request.query, told, line)
                    for item in lines.through(line):
                        send(item)
                    if lines.over:
                        return
                for item in lines.rest():
                    send(item)
            except TransportError:
                send(Broken())


def _reply(answered: asyncio.Future[Answer], outcome: Answer | TransportError) -> None:
    if answered.done():
        return
    if isinstance(outcome, Answer):
        answered.set_result(outcome)
    else:
        answered.set_exception(outcome)


async def _received(lines: asyncio.Queue[Item]) -> AsyncIterator[bytes]:
    while (item := await lines.get()) is not None:
        if isinstance(item, Broken):
            raise TransportError(_RESET)
        yield item


async def _lines(body: bytes) -> AsyncIterator[bytes]:
    for line in body.splitlines():
        yield line
