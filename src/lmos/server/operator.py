"""`OperatorProcess`: the operator on a Kubernetes cluster, ready to be served. `lmos operator` opens it.

It only composes. What it stops in which order is in the order of what it opens: readers are sent away first, then
reconciles end, events are written, and only then is the Lease handed on.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.applications import Starlette
from starlette.types import ASGIApp

from lmos.clock import Clock, SystemClock
from lmos.operator.api import routes as api_routes
from lmos.operator.base import ALL_NAMESPACES, StoreError
from lmos.operator.discovery.http import HttpDocuments
from lmos.operator.election import require_leading
from lmos.operator.kubernetes.client import Client
from lmos.operator.kubernetes.connect import connect
from lmos.operator.kubernetes.errors import Forbidden, NotServed, Unauthorized
from lmos.operator.kubernetes.events import KubernetesRecorder
from lmos.operator.kubernetes.lease import LeaseElection
from lmos.operator.kubernetes.namespaces import AbsentNamespaces
from lmos.operator.kubernetes.store import KubernetesStore
from lmos.operator.manager import Manager
from lmos.operator.probes import stuck, waiting_for
from lmos.operator.watch_api import watch_routes
from lmos.server.background import running
from lmos.server.health import actuator_routes, health_routes
from lmos.server.webhook import webhook
from lmos.settings import Settings

__all__ = ["OperatorProcess"]

_NO_RIGHT: Final = "cannot"
"""In the API server's refusal of who lacks a right; a quota that is used up is forbidden in other words."""


@dataclass
class OperatorProcess:
    """The parts. `app` is the REST API, `probes` are health and metrics; they belong on ports of their own."""

    client: Client
    manager: Manager
    election: LeaseElection | None
    absent: AbsentNamespaces
    app: ASGIApp
    probes: ASGIApp
    admission: ASGIApp | None
    """The admission webhook, where the settings want one."""
    stopping: bool = False

    @staticmethod
    @asynccontextmanager
    async def open(settings: Settings, *, clock: Clock | None = None) -> AsyncGenerator[OperatorProcess]:
        """A running operator. The cluster need not answer yet: `not_ready` says so.

        Raises `BadConfiguration` and `CredentialsFault` when the settings name no cluster.
        """
        clock = clock or SystemClock()
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(
                connect(kubeconfig=settings.kubeconfig or None, context=settings.context or None)
            )
            identity = f"{socket.gethostname()}_{clock.new_id()}"
            election = _election(settings, client, clock, identity)
            if election is not None:
                await stack.enter_async_context(election)
            recorder = await stack.enter_async_context(KubernetesRecorder(client, clock, identity=socket.gethostname()))
            documents = None
            if settings.discovery:
                documents = await stack.enter_async_context(HttpDocuments(settings.service_hosts))
            # Also between the attempts of one write, which may be half a minute apart.
            writing = client if election is None else client.guarded(partial(require_leading, election))
            manager = Manager(
                KubernetesStore(writing),
                clock,
                namespaces=settings.namespaces or (ALL_NAMESPACES,),
                election=election,
                recorder=recorder,
                documents=documents,
                workloads=settings.discovery,
                argo_rollouts=settings.discovery and settings.argo_rollouts,
            )
            await stack.enter_async_context(manager)
            absent = AbsentNamespaces(client, settings.namespaces)
            await stack.enter_async_context(running(absent.run(), "namespaces"))
            admission = None
            if settings.admission != "off":
                guard = webhook(manager, client, settings.admission, settings.namespaces)
                admission = await stack.enter_async_context(guard)
            yield _compose(client, manager, election, absent, admission)

    def stuck(self) -> list[str]:
        """Why this process should be started again."""
        return stuck(self.manager)

    def not_ready(self) -> list[str]:
        """What it waits for; nothing while it is ready, whether it leads or stands by."""
        if self.stopping:
            return ["nothing more: it stops"]
        absent = [f"namespace {name!r}, which does not exist" for name in self.absent.names]
        return waiting_for(self.manager, self.election, lasting=_lasting) + absent

    def stop(self) -> None:
        """Take no more readers, and end what they follow; the end of `open` does the rest."""
        self.stopping = True
        self.manager.catalog.close()


def _compose(
    client: Client,
    manager: Manager,
    election: LeaseElection | None,
    absent: AbsentNamespaces,
    admission: ASGIApp | None,
) -> OperatorProcess:
    catalog = manager.catalog

    def not_ready() -> Sequence[str]:
        return process.not_ready()

    def stuck() -> Sequence[str]:
        return process.stuck()

    app = Starlette(routes=[*api_routes(catalog), *watch_routes(catalog)])
    probes = Starlette(routes=[*health_routes(not_ready, stuck=stuck), *actuator_routes(not_ready, stuck=stuck)])
    process = OperatorProcess(client, manager, election, absent, app, probes, admission)
    return process


def _election(settings: Settings, client: Client, clock: Clock, identity: str) -> LeaseElection | None:
    if not settings.leader_elect:
        return None
    namespace = settings.lease_namespace or client.namespace
    return LeaseElection(client, clock, name=settings.lease_name, namespace=namespace, identity=identity)


def _lasting(fault: StoreError) -> bool:
    """Whether the cluster refuses until somebody changes rights or installs definitions."""
    if isinstance(fault, Forbidden):
        return _NO_RIGHT in str(fault)
    return isinstance(fault, NotServed | Unauthorized)
