"""`RuntimeProcess`: the runtime alone, ready to be served, with the routings of an operator elsewhere.

`lmos runtime` opens it. It only composes. Agents are reached over the network; none lives in this process.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.types import ASGIApp

from lmos.clock import Clock, SystemClock
from lmos.database.engine import Database
from lmos.encoders.base import Encoder
from lmos.operator.mirror import Mirror
from lmos.operator.remote import RemoteOperator
from lmos.protocols.arc.client import ArcClient
from lmos.runtime.arc_client import ArcAgentClient
from lmos.runtime.remote_routes import RemoteRoutes
from lmos.runtime.runtime import Runtime
from lmos.runtime.turn_log import SqlTurnLog
from lmos.server.app import create_app, create_rest
from lmos.server.background import running
from lmos.server.deciding import clarifier_for, classifier_for, encoders_for
from lmos.server.folder import database_path, hold
from lmos.server.health import actuator_routes, health_routes
from lmos.server.warmup import Warmup
from lmos.settings import Settings

__all__ = ["RuntimeProcess"]


@dataclass
class RuntimeProcess:
    """The parts. `app` is the REST API, with probes beside it; `probes` are those alone, for a port of their own."""

    runtime: Runtime
    mirror: Mirror
    routes: RemoteRoutes
    remote: RemoteOperator
    app: ASGIApp
    probes: ASGIApp

    @staticmethod
    @asynccontextmanager
    async def open(
        settings: Settings, *, clock: Clock | None = None, encoder: Encoder | None = None
    ) -> AsyncGenerator[RuntimeProcess]:
        """A running runtime. The operator need not answer yet: `not_ready` says so.

        Raises `StoreError` when `settings.operator_url` is none, `DataFolderInUse`, `DatabaseError`, and what the
        named router cannot do.
        """
        clock = clock or SystemClock()
        async with AsyncExitStack() as stack:
            remote = await stack.enter_async_context(RemoteOperator(settings.operator_url))
            stack.enter_context(hold(settings.data))
            database = Database.open(database_path(settings.data), synchronous=settings.synchronous)
            stack.push_async_callback(database.aclose)
            classifier = classifier_for(settings, encoders_for(settings) if encoder is None else (encoder,))
            warmup = Warmup(classifier)
            await stack.enter_async_context(running(warmup.run(), "warm-up"))
            mirror = Mirror(remote, settings.namespace)
            routes = RemoteRoutes(remote, mirror, settings.namespace, warmup.note)
            await stack.enter_async_context(running(mirror.run(), "mirror"))
            await stack.enter_async_context(running(routes.run(), "routing table"))
            runtime = Runtime(
                log=SqlTurnLog(database),
                routes=routes,
                classifier=classifier,
                clarifier=clarifier_for(settings),
                clients={"arc": ArcAgentClient(ArcClient(), settings.service_hosts)},
                clock=clock,
                deadline=settings.turn_deadline,
            )
            stack.push_async_callback(runtime.aclose)
            yield _compose(settings, runtime, mirror, routes, remote)

    def stuck(self) -> list[str]:
        """Why this process should be started again."""
        return self.mirror.stuck()

    def not_ready(self) -> list[str]:
        """What it waits for; nothing once it has routings, whatever becomes of the operator."""
        if self.routes.ready:
            return []
        why = f": {self.mirror.trouble}" if self.mirror.trouble else ""
        return [f"the routings of the operator at {self.remote.url}{why}"]


def _compose(
    settings: Settings, runtime: Runtime, mirror: Mirror, routes: RemoteRoutes, remote: RemoteOperator
) -> RuntimeProcess:
    def not_ready() -> Sequence[str]:
        return process.not_ready()

    def stuck() -> Sequence[str]:
        return process.stuck()

    rest = create_rest(runtime, mirror, namespace=settings.namespace, resume_grace=settings.resume_grace)
    app = create_app(rest, not_ready=not_ready, arc=(), max_body_bytes=settings.max_body_bytes)
    probes = Starlette(routes=[*health_routes(not_ready, stuck=stuck), *actuator_routes(not_ready, stuck=stuck)])
    process = RuntimeProcess(runtime, mirror, routes, remote, app, probes)
    return process
