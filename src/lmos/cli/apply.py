"""`lmos apply`: manifests into the store, created or changed as needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from lmos.cli.errors import CommandError
from lmos.cli.options import DEFAULT_DATA, Data, Filenames, Namespace
from lmos.cli.selection import qualified
from lmos.cli.terminal import error_console
from lmos.cli.workspace import FIELD_MANAGER, load_manifests, opened, reconcile_once
from lmos.operator.base import Store
from lmos.resources.base import Resource
from lmos.resources.kinds import kind_named

__all__ = ["apply"]


def apply(*, filename: Filenames = (), namespace: Namespace = None, data: Data = DEFAULT_DATA) -> None:
    """Create or change objects as manifests declare them.

    Nothing is written unless all manifests are right. A running platform sees the change within a second; with nothing
    running, channels are resolved at once.
    """
    if not filename:
        raise CommandError("no manifest is named", "write -f with a file, a folder, or - for standard input")
    loaded = load_manifests(filename, namespace)
    asyncio.run(_apply(data, [item.resource for item in loaded]))
    python = [item.source for item in loaded if item.source.endswith(".agent.py")]
    for source in dict.fromkeys(python):
        error_console().print(f"note: the agents of {source} answer where `lmos up -f {source}` runs them")


async def _apply(data: Path, resources: Sequence[Resource]) -> None:
    async with opened(data) as store:
        for resource in resources:
            outcome = await _apply_one(store, resource)
            print(f"{qualified(kind_named(resource.KIND), resource.metadata.name)} {outcome}")
        await reconcile_once(store, data, {resource.metadata.namespace for resource in resources})


async def _apply_one(store: Store, resource: Resource) -> str:
    """`created`, `configured` or `unchanged`."""
    known = await store.get(resource.KIND, resource.metadata.namespace, resource.metadata.name)
    written = await store.apply(resource, field_manager=FIELD_MANAGER)
    if known is None:
        return "created"
    same = written.metadata.resource_version == known.metadata.resource_version
    return "unchanged" if same else "configured"
