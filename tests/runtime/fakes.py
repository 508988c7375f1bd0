"""A runtime over the real turn log and store, with a classifier and agents that tests script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmos.clock import SystemClock
from lmos.conversation.events import Candidate, TurnEvent
from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer
from lmos.conversation.messages import Message, User
from lmos.conversation.turn import TurnRequest
from lmos.database.engine import Database
from lmos.operator.sqlite import SqliteStore
from lmos.resources.agent import Endpoint
from lmos.resources.base import ObjectMeta
from lmos.resources.routing import CapabilityGroup, ChannelRouting, ChannelRoutingSpec, RoutedCapability
from lmos.resources.rules import RoutingRules
from lmos.router.base import Classification, ClassificationRequest, Classifier, Roster, UnknownAgent
from lmos.router.clarifier import TemplateClarifier
from lmos.runtime.base import AgentAddress
from lmos.runtime.routes import RoutingTable
from lmos.runtime.runtime import Runtime
from lmos.runtime.turn_log import SqlTurnLog

Script = Callable[[AgentRequest], AsyncGenerator[AgentEvent, None]]


class NamedInQuery:
    """Matches the agent whose name the query contains; `?` in the query is ambiguous, anything else out of scope."""

    name = "named"

    async def prepare(self, roster: Roster) -> None:
        return None

    async def classify(self, request: ClassificationRequest) -> Classification:
        names = [agent.name for agent in request.roster.agents]
        if request.explicit_agent is not None:
            if request.explicit_agent not in names:
                raise UnknownAgent(f"no agent {request.explicit_agent!r}")
            return Classification("match", (request.explicit_agent,), (), 1.0, "explicit", "named by the caller")
        hits = tuple(name for name in names if name in request.query)
        if "follow-up" in request.query and request.current_agent:
            hits = (request.current_agent,)
        if hits:
            return Classification("match", hits, (), 0.9, self.name, "named in the query")
        outcome = "ambiguous" if "?" in request.query else "out_of_scope"
        candidates = tuple(Candidate(agent=name, capability=f"{name}-things", score=0.3) for name in names)
        return Classification(outcome, (), candidates, 0.3, self.name, "not named")


@dataclass
class ScriptedClient:
    """An agent client whose agents run scripts; counts what it was asked."""

    scripts: dict[str, Script]
    asked: list[AgentRequest] = field(default_factory=list[AgentRequest])

    async def ask(self, address: AgentAddress, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        self.asked.append(request)
        async for event in self.scripts[address.agent](request):
            yield event

    async def aclose(self) -> None:
        pass


async def echo(request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
    """Answers with the query."""
    yield Answer(Message(role="assistant", content=f"echo {request.query}"))


def routing(*agents: str, tenant: str = "acme", channel: str = "web", subset: str = "stable") -> ChannelRouting:
    groups = tuple(
        CapabilityGroup(
            id=f"id-{agent}",
            name=agent,
            description=f"{agent} matters",
            capabilities=(
                RoutedCapability(
                    name=f"{agent}-things",
                    required_version=">=1.0.0",
                    provided_version="1.2.0",
                    host="127.0.0.1:1",
                    endpoint=Endpoint(protocol="local"),
                ),
            ),
        )
        for agent in agents
    )
    labels = {"tenant": tenant, "channel": channel, "subset": subset, "version": "1.0.0"}
    meta = ObjectMeta(name=f"{tenant}-{channel}-{subset}", labels=labels)
    return ChannelRouting(metadata=meta, spec=ChannelRoutingSpec(capability_groups=groups))


def turn(text: str, turn_id: str = "t1", **changes: object) -> TurnRequest:
    plain = TurnRequest(
        tenant="acme",
        channel="web",
        conversation_id="c1",
        turn_id=turn_id,
        user=User(id="u1"),
        messages=(Message(role="user", content=text),),
    )
    return plain.model_copy(update=changes)


@asynccontextmanager
async def a_runtime_on_a_store(
    folder: Path,
    scripts: dict[str, Script],
    *,
    deadline: float = 5.0,
    classifier: Classifier | None = None,
    rules: RoutingRules | None = None,
) -> AsyncGenerator[tuple[SqliteStore, Runtime, ScriptedClient]]:
    """A runtime whose channel `web` of tenant `acme` is served by the scripted agents, under `rules`, and its store."""
    database = Database.open(folder / "lmos.db", synchronous="normal")
    clock = SystemClock()
    store = SqliteStore(database, clock)
    routes = RoutingTable(store, "default")
    routed = routing(*scripts)
    ruled = routed.model_copy(update={"spec": routed.spec.model_copy(update={"routing_rules": rules})})
    await store.apply(ruled, field_manager="test")
    following = asyncio.create_task(routes.run())
    await routes.synced()
    client = ScriptedClient(scripts)
    runtime = Runtime(
        log=SqlTurnLog(database),
        routes=routes,
        classifier=classifier or NamedInQuery(),
        clarifier=TemplateClarifier(),
        clients={"local": client},
        clock=clock,
        deadline=deadline,
    )
    try:
        yield store, runtime, client
    finally:
        await runtime.aclose()
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await store.aclose()
        await database.aclose()


@asynccontextmanager
async def a_runtime(
    folder: Path, scripts: dict[str, Script], **options: Any
) -> AsyncGenerator[tuple[Runtime, ScriptedClient]]:
    """The same without the store."""
    async with a_runtime_on_a_store(folder, scripts, **options) as (_, runtime, client):
        yield runtime, client


async def play(runtime: Runtime, request: TurnRequest, after: int = -1) -> list[TurnEvent]:
    return [event async for event in runtime.handle(request, after=after)]


def types(events: list[TurnEvent]) -> list[str]:
    return [event.type for event in events]


async def eventually(condition: Callable[[], Awaitable[bool] | bool], seconds: float = 5.0) -> None:
    """Wait for something that another task does; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            result = condition()
            if result if isinstance(result, bool) else await result:
                return
            await asyncio.sleep(0.002)
