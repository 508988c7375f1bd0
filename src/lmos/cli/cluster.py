"""A Kubernetes cluster as a workspace. The operator that runs there reconciles; commands only read and write objects.

Faults of the cluster are told as every command tells errors: one line, and the fix.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Collection, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmos.cli.errors import CommandError
from lmos.cli.notes import Notes
from lmos.cli.workspace import Happening
from lmos.operator.base import Store
from lmos.operator.kubernetes.config import BadConfiguration, configuration
from lmos.operator.kubernetes.credentials import CredentialsFault
from lmos.operator.kubernetes.errors import Forbidden, NotServed, Unauthorized, Unavailable
from lmos.operator.kubernetes.transport import TransportError
from lmos.resources.agent import Agent
from lmos.resources.base import Resource

if TYPE_CHECKING:
    from lmos.operator.kubernetes.client import Client
    from lmos.resources.loader import Loaded

__all__ = ["Cluster"]

# Their messages end with the fix.
_FAULTS: Final = (BadConfiguration, CredentialsFault, Forbidden, TransportError, Unauthorized, Unavailable)
_MAX_EVENTS: Final = 500

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster of `context` in `kubeconfig`; by default the current one of the usual place."""

    kubeconfig: str | None = None
    context: str | None = None

    def __str__(self) -> str:
        return "the cluster" if self.context is None else f"the cluster of context {self.context!r}"

    def namespace(self, given: str | None) -> str:
        """The namespace that `-n` named, else the environment's, else the context's."""
        named = given or os.environ.get("LMOS_NAMESPACE")
        if named:
            return named
        with self._explained():
            return configuration(kubeconfig=self.kubeconfig, context=self.context).namespace

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Store]:
        """The cluster's objects; what the server warns of goes to stderr."""
        from lmos.operator.kubernetes.store import KubernetesStore

        async with self._connected() as (client, notes):
            yield KubernetesStore(client, on_unreadable=lambda _kind, _raw, fault: notes.warn(str(fault)))

    @asynccontextmanager
    async def opened_if_there(self) -> AsyncGenerator[Store | None]:
        """The same: a cluster is there, or an error says why not."""
        async with self.opened() as store:
            yield store

    def accept(self, loaded: Sequence[Loaded]) -> None:
        """A local agent lives in one platform's process, which no cluster knows."""
        for item in loaded:
            agent = item.resource
            if isinstance(agent, Agent) and agent.spec.endpoint is not None and agent.spec.endpoint.protocol == "local":
                name = agent.metadata.name
                raise CommandError(
                    f"{item.source}: agent {name!r} is local: it lives in the process of `lmos up`, not in a cluster",
                    f"serve it (lmos agent run), and apply an Agent {name!r} with that address as spec.endpoint.url",
                )

    async def reconcile(self, store: Store, namespaces: Collection[str]) -> None:
        """The operator does it."""

    def reconciles(self) -> bool:
        return True

    async def happenings(self, about: Sequence[Resource]) -> Mapping[str, Sequence[Happening]] | None:
        """Each object's events; `None` for a user who may not read them."""
        found: dict[str, Sequence[Happening]] = {}
        async with self._connected() as (client, _):
            for resource in about:
                uid = resource.metadata.uid or ""
                path = f"/apis/events.k8s.io/v1/namespaces/{resource.metadata.namespace}/events"
                query = {"fieldSelector": f"regarding.uid={uid}", "limit": str(_MAX_EVENTS)}
                try:
                    events = (await client.get(path, query=query))["items"]
                except Forbidden:
                    return None
                found[uid] = sorted(map(_happening, events), key=lambda happening: happening.at or "")
        return found

    @property
    def operator_hint(self) -> str:
        return "does an operator run, and does it watch this namespace? See `kubectl logs` of lmos-operator"

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[tuple[Client, Notes]]:
        from lmos.operator.kubernetes.connect import connect

        with self._explained(), Notes() as notes:
            async with connect(kubeconfig=self.kubeconfig, context=self.context, on_warning=notes.warn) as client:
                yield client, notes

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except NotServed as error:
            kubectl = "kubectl" if self.context is None else f"kubectl --context {self.context}"
            raise CommandError(
                f"{self} has no CustomResourceDefinitions of LMOS",
                f"install them: lmos crds | {kubectl} apply --server-side -f -",
            ) from error
        except _FAULTS as error:
            message, semicolon, fix = str(error).rpartition("; ")
            raise CommandError(message if semicolon else fix, fix if semicolon else "") from error


def _happening(event: Json) -> Happening:
    """Of `events.k8s.io/v1`; what older writers know is in `deprecated*`."""
    series: Json = event.get("series") or {}
    writer: Json = event.get("deprecatedSource") or {}
    return Happening(
        type=event.get("type", ""),
        reason=event.get("reason", ""),
        message=event.get("note", ""),
        source=event.get("reportingController") or writer.get("component", ""),
        at=series.get("lastObservedTime") or event.get("deprecatedLastTimestamp") or event.get("eventTime"),
        count=series.get("count") or event.get("deprecatedCount") or 1,
    )
