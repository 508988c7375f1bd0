"""Where a command's objects live: the contract of `folder.py` (embedded) and `cluster.py` (Kubernetes); manifests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from lmos.cli.errors import CommandError
from lmos.cli.terminal import error_console
from lmos.operator.base import ALL_NAMESPACES, Store
from lmos.resources.agent import Agent
from lmos.resources.base import Resource

if TYPE_CHECKING:
    from lmos.resources.loader import Loaded

__all__ = ["FIELD_MANAGER", "Happening", "Workspace", "listed", "load_manifests"]

FIELD_MANAGER: Final = "lmos-cli"


@dataclass(frozen=True, slots=True)
class Happening:
    """An event about an object: `type` is Normal or Warning, `at` in RFC 3339, `count` how often it happened."""

    type: str
    reason: str
    message: str
    source: str
    at: str | None
    count: int = 1


class Workspace(Protocol):
    """A place with objects. Commands use one and do not know which."""

    def namespace(self, given: str | None) -> str:
        """The namespace that `-n` named, else the one that is meant here."""
        ...

    def opened(self) -> AbstractAsyncContextManager[Store]:
        """The store, to write to."""
        ...

    def opened_if_there(self) -> AbstractAsyncContextManager[Store | None]:
        """The store, or `None` when nothing was ever stored: who only reads leaves no trace."""
        ...

    def accept(self, loaded: Sequence[Loaded]) -> None:
        """Raises `CommandError` for an object that cannot live here."""
        ...

    async def reconcile(self, store: Store, namespaces: Collection[str]) -> None:
        """Bring status and routings of `namespaces` up to date, unless somebody else does it anyway."""
        ...

    def reconciles(self) -> bool:
        """Whether somebody else does: what is not right yet may become so."""
        ...

    async def happenings(self, about: Sequence[Resource]) -> Mapping[str, Sequence[Happening]] | None:
        """The events about objects, by uid, newest last; `None` where events are not kept."""
        ...

    @property
    def operator_hint(self) -> str:
        """What to look at when nobody reconciles."""
        ...


async def listed(store: Store | None, kind: str, namespace: str = ALL_NAMESPACES) -> tuple[Resource, ...]:
    """All objects of `kind` in `namespace`, by namespace and name."""
    return () if store is None else (await store.list(kind, namespace)).items


def load_manifests(workspace: Workspace, paths: Sequence[str], namespace: str | None) -> list[Loaded]:
    """What `paths` declare; warnings go to stderr.

    A `namespace` that was asked for must be the one that the manifests name, if they name one. Raises `ManifestError`
    and `CommandError`.
    """
    from lmos.resources.loader import load

    default = workspace.namespace(namespace)
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
