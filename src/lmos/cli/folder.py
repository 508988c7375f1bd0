"""The data folder as a workspace: its store is opened beside a running platform, or with nothing running.

Only a platform keeps the folder's lock; a command that changes something reconciles once when no platform is there to
do it, so that `lmos get` shows the result either way.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lmos.cli.options import namespace_or_default
from lmos.cli.workspace import Happening
from lmos.operator.base import Store
from lmos.resources.agent import Agent
from lmos.resources.base import Resource
from lmos.server.folder import database_path, is_held

if TYPE_CHECKING:
    from lmos.resources.loader import Loaded

__all__ = ["Folder"]


@dataclass(frozen=True, slots=True)
class Folder:
    """The workspace in the folder `path`."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def namespace(self, given: str | None) -> str:
        """The namespace that `-n` named, else the environment's, else `default`."""
        return namespace_or_default(given)

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Store]:
        """The store; the folder is created when it is missing. Raises `DatabaseError`."""
        from lmos.clock import SystemClock
        from lmos.database.engine import Database
        from lmos.operator.sqlite import SqliteStore

        self.path.mkdir(parents=True, exist_ok=True)
        database = Database.open(database_path(self.path), readers=1)
        try:
            store = SqliteStore(database, SystemClock())
            try:
                yield store
            finally:
                await store.aclose()
        finally:
            await database.aclose()

    @asynccontextmanager
    async def opened_if_there(self) -> AsyncGenerator[Store | None]:
        """The store, or `None` without one."""
        if not database_path(self.path).exists():
            yield None
            return
        async with self.opened() as store:
            yield store

    def accept(self, loaded: Sequence[Loaded]) -> None:
        """Everything can live here."""

    async def reconcile(self, store: Store, namespaces: Collection[str]) -> None:
        """Reconcile `namespaces` once, unless a platform runs on the folder."""
        if not namespaces or self.reconciles():
            return
        from lmos.clock import SystemClock
        from lmos.operator.manager import Manager

        async with AsyncExitStack() as stack:
            documents = None
            if await _describes_itself(store, namespaces):
                from lmos.cli.configuration import load_settings
                from lmos.operator.discovery.http import HttpDocuments

                documents = await stack.enter_async_context(HttpDocuments(load_settings().service_hosts))
            manager = Manager(store, SystemClock(), namespaces=sorted(namespaces), documents=documents)
            await stack.enter_async_context(manager)
            await manager.settled()

    def reconciles(self) -> bool:
        """Whether a platform runs on the folder."""
        return is_held(self.path)

    async def happenings(self, about: Sequence[Resource]) -> Mapping[str, Sequence[Happening]] | None:
        """Events are not kept; conditions say the same."""
        return None

    @property
    def operator_hint(self) -> str:
        return f"look at the log of the `lmos up` that runs on {self.path}"


async def _describes_itself(store: Store, namespaces: Collection[str]) -> bool:
    """Whether some agent there is to be asked what it can do."""
    for namespace in namespaces:
        for agent in (await store.list(Agent.KIND, namespace)).items:
            if isinstance(agent, Agent) and agent.spec.discover:
                return True
    return False
