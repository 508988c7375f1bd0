"""The store of a data folder, opened beside a running platform or with nothing running.

Commands use it. Only a platform keeps the folder's lock; a command that changes something reconciles once when no
platform is there to do it, so that `lmos get` shows the result either way.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lmos.cli.errors import CommandError
from lmos.cli.options import namespace_or_default
from lmos.cli.terminal import error_console
from lmos.operator.base import ALL_NAMESPACES, Store
from lmos.resources.agent import Agent
from lmos.resources.base import Resource
from lmos.server.folder import database_path, is_held

if TYPE_CHECKING:
    from lmos.resources.loader import Loaded

__all__ = ["FIELD_MANAGER", "listed", "load_manifests", "opened", "opened_if_there", "reconcile_once"]

FIELD_MANAGER: Final = "lmos-cli"


@asynccontextmanager
async def opened(data: Path) -> AsyncGenerator[Store]:
    """The store of `data`, which is created when it is missing. Raises `DatabaseError`."""
    from lmos.clock import SystemClock
    from lmos.database.engine import Database
    from lmos.operator.sqlite import SqliteStore

    data.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - one command, one loop: nobody waits
    database = Database.open(database_path(data), readers=1)
    try:
        store = SqliteStore(database, SystemClock())
        try:
            yield store
        finally:
            await store.aclose()
    finally:
        await database.aclose()


@asynccontextmanager
async def opened_if_there(data: Path) -> AsyncGenerator[Store | None]:
    """The store of `data`, or `None` when nothing was ever stored there: who only reads leaves no trace."""
    if not database_path(data).exists():
        yield None
        return
    async with opened(data) as store:
        yield store


async def listed(store: Store | None, kind: str, namespace: str = ALL_NAMESPACES) -> tuple[Resource, ...]:
    """All objects of `kind` in `namespace`, by namespace and name."""
    return () if store is None else (await store.list(kind, namespace)).items


async def reconcile_once(store: Store, data: Path, namespaces: Collection[str]) -> None:
    """Bring status and routings of `namespaces` up to date, unless a platform runs on `data` and does it anyway."""
    if not namespaces or is_held(data):
        return
    from lmos.clock import SystemClock
    from lmos.operator.manager import Manager

    async with Manager(store, SystemClock(), namespaces=sorted(namespaces)) as manager:
        await manager.settled()


def load_manifests(paths: Sequence[str], namespace: str | None) -> list[Loaded]:
    """What `paths` declare; warnings go to stderr.

    A `namespace` that was asked for must be the one that the manifests name, if they name one. Raises `ManifestError`
    and `CommandError`.
    """
    from lmos.resources.loader import load

    default = namespace_or_default(namespace)
    loaded = load(paths, default_namespace=default, python_agents=_python_agents(default))
    console = error_console()
    for item in loaded:
        found = item.resource.metadata.namespace
        if namespace is not None and found != namespace:
            message = f"{item.source}: {item.resource.key} is not in namespace {namespace!r}"
            raise CommandError(message, f"leave out -n, or write -n {found}")
        for warning in item.warnings:
            console.print(f"warning: {warning}")
    return loaded


def _python_agents(namespace: str) -> Callable[[Path], list[Agent]]:
    """Reads `*.agent.py` files: their agents as resources that live in the platform's own process."""

    def read(path: Path) -> list[Agent]:
        from lmos.agents.loading import load_agents
        from lmos.agents.manifest import to_local_resource

        return [to_local_resource(agent, namespace=namespace) for agent in load_agents(path)]

    return read
