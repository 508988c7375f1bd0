"""`Platform`: all of LMOS in one process - store, reconcilers, router, runtime, local agents - ready to be served.

`lmos up` and `lmos.testing` open it. It only composes: each part is a room of its own and knows nothing of this one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp

from lmos.agents.agent import Agent
from lmos.agents.loading import load_agents
from lmos.agents.manifest import to_local_resource
from lmos.agents.serving import LocalAgents
from lmos.clock import Clock, SystemClock
from lmos.database.engine import Database
from lmos.encoders.base import Encoder
from lmos.models.base import Model
from lmos.operator.api import routes as operator_routes
from lmos.operator.discovery.http import HttpDocuments
from lmos.operator.manager import Manager
from lmos.operator.sqlite import SqliteStore
from lmos.operator.watch_api import watch_routes
from lmos.protocols.arc.client import ArcClient
from lmos.protocols.arc.server import arc_routes
from lmos.protocols.arc.subscriptions import Limits
from lmos.resources.agent import Agent as AgentResource
from lmos.resources.base import Resource
from lmos.resources.loader import load
from lmos.router.indices import index_at
from lmos.runtime.arc_client import ArcAgentClient
from lmos.runtime.index_sync import IndexSync
from lmos.runtime.local_client import LocalClient
from lmos.runtime.routes import RoutingTable
from lmos.runtime.runtime import Runtime
from lmos.runtime.turn_log import SqlTurnLog
from lmos.server.app import create_app, create_rest
from lmos.server.arc import PlatformAgents
from lmos.server.background import running
from lmos.server.deciding import clarifier_for, classifier_for, encoders_for, model_for
from lmos.server.folder import database_path, hold
from lmos.server.health import health_routes
from lmos.server.warmup import Warmup
from lmos.settings import Settings
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["Platform"]

FIELD_MANAGER = "lmos-up"

_log = logger("server")


@dataclass
class Platform:
    """The parts, for those who compose further. `Platform.open` makes one, `start` brings it to ready."""

    settings: Settings
    store: SqliteStore
    manager: Manager
    runtime: Runtime
    routes: RoutingTable
    agents: LocalAgents
    warmup: Warmup
    app: ASGIApp
    operator_app: ASGIApp
    waiting_for: set[str] = field(default_factory=lambda: {"manifests"})

    @staticmethod
    @asynccontextmanager
    async def open(
        settings: Settings,
        *,
        platform_host: str,
        clock: Clock | None = None,
        encoder: Encoder | None = None,
        model: Model | None = None,
    ) -> AsyncGenerator[Platform]:
        """A running platform on `settings.data`. `platform_host` is the `host:port` under which local agents answer.

        Raises `DataFolderInUse`, `DatabaseError`, and what the named model or encoder cannot do.
        """
        clock = clock or SystemClock()
        async with AsyncExitStack() as stack:
            stack.enter_context(hold(settings.data))
            database = Database.open(database_path(settings.data), synchronous=settings.synchronous)
            stack.push_async_callback(database.aclose)
            store = SqliteStore(database, clock)
            stack.push_async_callback(store.aclose)
            encoders = encoders_for(settings) if encoder is None else (encoder,)
            agents = LocalAgents(model or model_for(settings, encoders[0]))
            stack.push_async_callback(agents.aclose)
            documents = await stack.enter_async_context(HttpDocuments(settings.service_hosts))
            manager = Manager(store, clock, platform_host=platform_host, documents=documents)
            await stack.enter_async_context(manager)
            classifier = classifier_for(settings, encoders)
            warmup = Warmup(classifier)
            await stack.enter_async_context(running(warmup.run(), "warm-up"))
            routes = RoutingTable(store, settings.namespace, warmup.note)
            await stack.enter_async_context(running(routes.run(), "routing table"))
            await routes.synced()
            if settings.router_index:
                await stack.enter_async_context(_shared_index(settings, store, encoders[-1]))
            runtime = Runtime(
                log=SqlTurnLog(database),
                routes=routes,
                classifier=classifier,
                clarifier=clarifier_for(settings),
                clients={
                    "local": LocalClient(agents),
                    "arc": ArcAgentClient(ArcClient(), settings.service_hosts),
                },
                clock=clock,
                deadline=settings.turn_deadline,
            )
            stack.push_async_callback(runtime.aclose)
            yield _compose(settings, store, manager, runtime, routes, agents, warmup)

    async def start(
        self, paths: Sequence[str | Path] = (), *, agents: Sequence[Agent] = (), resources: Sequence[Resource] = ()
    ) -> list[Resource]:
        """Load `paths`, put their Python agents and `agents` to work, apply everything, wait until it is routable.

        Returns what was applied. Raises `ManifestError`, with all problems, before anything is applied.
        """
        found = list(agents)

        def python_agents(path: Path) -> list[AgentResource]:
            loaded = load_agents(path)
            found.extend(loaded)
            return [self._local(agent) for agent in loaded]

        namespace = self.settings.namespace
        loaded = load(paths, default_namespace=namespace, python_agents=python_agents) if paths else []
        self.agents.replace(found)
        wanted = [*(self._local(agent) for agent in agents), *(item.resource for item in loaded), *resources]
        for item in loaded:
            for warning in item.warnings:
                _log.warning(names.EVENT_MANIFEST_WARNING, source=item.source, problem=str(warning))
        for resource in wanted:
            await self.store.apply(resource, field_manager=FIELD_MANAGER)
        await self.settled()
        self.waiting_for.discard("manifests")
        return wanted

    async def settled(self) -> None:
        """Wait until everything that the store holds now is reconciled and routable, and its agents are learnt."""
        await self.manager.settled()
        await self.routes.caught_up()
        await self.warmup.done()

    def _local(self, agent: Agent) -> AgentResource:
        return to_local_resource(agent, namespace=self.settings.namespace)


def _compose(
    settings: Settings,
    store: SqliteStore,
    manager: Manager,
    runtime: Runtime,
    routes: RoutingTable,
    agents: LocalAgents,
    warmup: Warmup,
) -> Platform:
    waiting_for = {"manifests"}

    def not_ready() -> list[str]:
        return sorted(waiting_for) + ([] if manager.healthy else ["reconcilers"])

    rest = create_rest(runtime, store, namespace=settings.namespace, resume_grace=settings.resume_grace)
    arc = arc_routes(PlatformAgents(agents), limits=Limits(frame_bytes=settings.max_body_bytes))
    app = create_app(rest, not_ready=not_ready, arc=arc, max_body_bytes=settings.max_body_bytes)
    catalog = manager.catalog
    operator_app = Starlette(routes=[*operator_routes(catalog), *watch_routes(catalog), *health_routes(not_ready)])
    return Platform(settings, store, manager, runtime, routes, agents, warmup, app, operator_app, waiting_for)


@asynccontextmanager
async def _shared_index(settings: Settings, store: SqliteStore, encoder: Encoder) -> AsyncGenerator[None]:
    """Keeps the index that `settings` name equal to the agents' examples."""
    async with aclosing(index_at(settings.router_index)) as index, IndexSync(store, index, encoder):
        yield
