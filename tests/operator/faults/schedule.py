"""One schedule: a seed becomes actions and faults, operators live through them, and in the end all must be well.

    outcome = run(Schedule(seed=7))

It runs on a virtual loop of its own, in some ten milliseconds.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import orjson

from lmos.testing.api_server import ApiServer, Request
from tests.operator.discovery.scripted import ScriptedAgents, capabilities
from tests.operator.faults.actions import (
    NAMESPACE,
    PEOPLE,
    Action,
    Compact,
    Cut,
    Deny,
    Fell,
    Ready,
    Recreate,
    Restart,
    Send,
    Strike,
    Wait,
    life,
)
from tests.operator.faults.front import Network
from tests.operator.faults.ledger import Ledger
from tests.operator.faults.loop import LoopClock, VirtualLoop
from tests.operator.faults.operators import Operator, StoreOver, healthy_store
from tests.operator.faults.oracle import ghosts, wrong_states
from tests.operator.faults.paths import PATHS
from tests.operator.faults.plan import Kind, Plan

__all__ = ["Outcome", "Schedule", "run"]

_BOOKMARK_SECONDS: Final = 6.0
"""Less than in earnest, as a schedule has few minutes."""
_QUIET_SECONDS: Final = 900.0
"""After this time without faults, all must be well: keys that failed again and again wait for the longest."""


@dataclass(frozen=True)
class Schedule:
    """Everything that a run depends on. `actions` are those of the seed unless others are given."""

    seed: int
    actions: Sequence[Action] | None = None
    muted: frozenset[int] = frozenset()
    faults: bool = True
    store: StoreOver = healthy_store
    strike: Strike | None = None
    fenced: bool = True

    @property
    def elects(self) -> bool:
        """Whether two operators stand for election; else one is alone."""
        return self.seed % 3 == 0

    @property
    def workloads(self) -> bool:
        return self.seed % 2 == 0


@dataclass
class Outcome:
    """`wrongs` in words; what came about, how often; `told` are the faults of requests."""

    schedule: Schedule
    actions: Sequence[Action]
    wrongs: list[str]
    counts: Counter[Kind]
    writes: Counter[str]
    told: dict[int, str]
    waits: int = 0
    """Of reconciles, if the schedule has a strike."""
    seconds: float = 0.0
    """Of virtual time."""
    log: list[str] = field(default_factory=list[str])


def run(schedule: Schedule) -> Outcome:
    """Live through a schedule."""
    random.seed(schedule.seed)  # what spreads load by chance in the operator
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_Run(loop, schedule).outcome())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()


class _Run:
    def __init__(self, loop: VirtualLoop, schedule: Schedule) -> None:
        self._loop = loop
        self._schedule = schedule
        self._actions = (
            life(schedule.seed, workloads=schedule.workloads) if schedule.actions is None else schedule.actions
        )
        self._rng = Random(schedule.seed)
        self._clock = LoopClock(loop)
        self._server = ApiServer(self._clock, namespaces=(NAMESPACE,), bookmark_seconds=_BOOKMARK_SECONDS)
        self._ledger = Ledger()
        self._plan = Plan(schedule.seed, muted=schedule.muted)
        self._plan.active = schedule.faults
        self._network = Network(
            loop,
            self._server,
            self._plan,
            on_send=lambda process, request: self._ledger.sent(self._server, process, request),
            on_answer=self._ledger.answered,
        )
        self._documents: ScriptedAgents | None = None
        if schedule.workloads:
            self._documents = ScriptedAgents()
            self._documents.delay = self._rng.choice((0.0, 0.0, 1.5))
            for number in range(4):
                for port in (8080, 9090):
                    url = f"http://agent-{number}.{NAMESPACE}.svc.cluster.local:{port}"
                    self._documents.serve(url, capabilities(("x", f"1.{number}.0"), ("y", "1.0.0")))
        self._operators: list[Operator] = []
        self._fallen: list[Operator] = []
        self._started = 0
        self._waits = 0

    async def outcome(self) -> Outcome:
        self._start_operator()
        if self._schedule.elects:
            self._plan.came_about(Kind.TWO_LEADERS)
            self._start_operator()
        for action in self._actions:
            await self._do(action)
        wrongs = await self._end()
        told, counts, writes = self._plan.told, self._plan.counts, self._ledger.writes
        seconds = self._loop.time()
        return Outcome(self._schedule, self._actions, wrongs, counts, writes, told, self._waits, seconds)

    def _start_operator(self) -> None:
        self._started += 1
        self._operators.append(self._new_operator(f"operator-{self._started}", elects=self._schedule.elects))

    def _new_operator(self, name: str, *, elects: bool) -> Operator:
        return Operator(
            self._loop,
            name,
            connect=self._network.connect,
            ledger=self._ledger,
            clock=self._clock,
            rng=self._rng,
            election=elects,
            documents=self._documents,
            store=self._schedule.store,
            fenced=self._schedule.fenced,
            suspended=self._suspended if self._schedule.strike is not None else None,
        )

    def _suspended(self, operator: Operator) -> None:
        """A reconcile waits; that may be the moment."""
        strike = self._schedule.strike
        if strike is None or operator not in self._operators:
            return
        self._waits += 1
        if self._waits == strike.at:
            if strike.loses_requests:
                self._network.lose_what_is_under_way(operator.process)
            self._befall(operator, strike.how, strike.seconds)

    # What happens

    async def _do(self, action: Action) -> None:
        match action:
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Send():
                self._send(action)
            case Ready(name, ready):
                self._make_ready(name, ready)
            case Compact():
                self._plan.came_about(Kind.COMPACTION)
                self._server.compact()
            case Restart(seconds):
                self._restart(seconds)
            case Cut(seconds):
                self._plan.came_about(Kind.CUT)
                self._network.cut(seconds)
            case Recreate(plural, seconds):
                self._recreate(plural, seconds)
            case Deny(verb, plural, seconds):
                self._deny(verb, plural, seconds)
            case Fell():
                self._fell(action)

    def _send(self, action: Send) -> None:
        """As somebody at the same place as the server: nothing is lost, but it may be away."""
        if not self._server.running:
            return
        collection = f"{PATHS[action.plural]}/namespaces/{NAMESPACE}/{action.plural}"
        path = collection if action.method == "POST" else f"{collection}/{action.name}{action.part}"
        body = None if action.body is None else orjson.dumps(action.body)
        query = {"fieldManager": PEOPLE} | ({"force": "true"} if "apply" in action.content_type else {})
        self._server.answer(Request(action.method, path, query, body, action.content_type, PEOPLE))

    def _make_ready(self, name: str, ready: bool) -> None:
        found = next((d for d in self._server.objects("deployments") if d["metadata"]["name"] == name), None)
        if found is None:
            return
        replicas = found["spec"].get("replicas", 1)
        status: dict[str, Any] = {
            "observedGeneration": found["metadata"]["generation"],
            "replicas": replicas,
            "updatedReplicas": replicas if ready else 0,
            "availableReplicas": replicas if ready else 0,
        }
        self._send(Send("PATCH", "deployments", name, {"status": status}, "application/merge-patch+json", "/status"))

    def _restart(self, seconds: float) -> None:
        if self._server.running:
            self._plan.came_about(Kind.RESTART)
            self._server.stop()
            self._network.later(seconds, self._server.start)

    def _recreate(self, plural: str, seconds: float) -> None:
        if self._is_served(plural):
            self._plan.came_about(Kind.CRD_GONE)
            self._server.withdraw(plural)
            self._network.later(seconds, self._server.serve, plural)

    def _is_served(self, plural: str) -> bool:
        try:
            self._server.objects(plural)
        except LookupError:
            return False
        return True

    def _deny(self, verb: str, plural: str, seconds: float) -> None:
        self._plan.came_about(Kind.RIGHTS_LOST)
        for number in range(1, self._started + 3):
            self._server.deny(verb, plural, f"operator-{number}")
        self._network.later(seconds, self._server.allow_all)

    def _fell(self, action: Fell) -> None:
        alive = [o for o in self._operators if o.alive and not o.process.paused]
        chosen = next((o for o in alive if o.leads == action.leader), None)
        if chosen is None:
            return
        self._befall(chosen, action.how, action.seconds)

    def _befall(self, operator: Operator, how: str, seconds: float) -> None:
        self._plan.came_about({"kill": Kind.KILLED, "stop": Kind.STOPPED, "pause": Kind.PAUSED}[how])
        if how == "pause":
            operator.process.pause()
            self._network.later(seconds, operator.process.go_on)
            return
        self._operators.remove(operator)
        self._fallen.append(operator)
        if how == "kill":
            operator.process.kill()
        else:
            operator.stop()
        self._network.later(seconds, self._start_operator)

    # The end

    async def _end(self) -> list[str]:
        """All goes well from now on; what is wrong when everything has settled."""
        await asyncio.sleep(26)  # what was to end by itself has ended
        self._plan.active = False
        for operator in self._operators:
            if operator.process.paused:
                operator.process.go_on()
        wrongs: list[str] = []
        try:
            async with asyncio.timeout(_QUIET_SECONDS):
                await self._settle()
        except TimeoutError:
            wrongs.append(f"not settled after {_QUIET_SECONDS:g} s without faults")
        wrongs += wrong_states(self._server.objects)
        for operator in self._operators:
            if operator.manager is not None:
                wrongs += [
                    f"{operator.name}: {ghost}" for ghost in ghosts(self._server.objects, operator.manager.views)
                ]
        wrongs += self._ledger.wrongs
        wrongs += await self._touched_by_a_fresh_one()
        return wrongs

    async def _settle(self) -> None:
        """Until nothing moves any more. Who waits for a key that backs off is woken by nobody: it may take minutes."""
        version = -1
        while version != self._moved():
            version = self._moved()
            if self._schedule.elects:
                await self._somebody_leads()
            for operator in list(self._operators):
                await operator.settled()
            await asyncio.sleep(1)

    async def _somebody_leads(self) -> None:
        waiting = [asyncio.create_task(operator.leading()) for operator in self._operators]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    def _moved(self) -> int:
        """The newest version of what operators write."""
        plurals = ("agents", "channels", "channelroutings")
        versions = [int(o["metadata"]["resourceVersion"]) for plural in plurals for o in self._server.objects(plural)]
        return max(versions, default=0) * 1000 + len(versions)

    async def _touched_by_a_fresh_one(self) -> list[str]:
        """What a new operator that finds everything settled writes all the same; and the end of all the others."""
        for operator in self._operators:
            operator.process.kill()
        for operator in (*self._operators, *self._fallen):
            operator.process.kill()
            await operator.process.bury()
        before, wrote = self._moved(), self._ledger.writes.copy()
        fresh = self._new_operator("fresh", elects=False)
        self._ledger.wrongs.clear()
        wrongs: list[str] = []
        try:
            async with asyncio.timeout(60):
                await fresh.settled()
                await asyncio.sleep(1)
        except TimeoutError:
            wrongs.append("a fresh operator does not settle")
        if self._ledger.writes != wrote or self._moved() != before:
            wrongs.append(f"a fresh operator wrote {dict(self._ledger.writes - wrote)}")
        fresh.process.kill()
        await fresh.process.bury()
        return wrongs
