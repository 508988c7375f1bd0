"""`lmos get --watch`: the objects, then each change as it comes, until Ctrl-C."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import cast

from lmos.cli.workspace import opened
from lmos.operator.base import ResourceExpired, WatchEvent
from lmos.resources.base import Resource

__all__ = ["watch"]

Show = Callable[[Sequence[Resource]], None]


async def watch(data: Path, kind: str, namespace: str, wanted: Callable[[Resource], bool], show: Show) -> None:
    """Show the objects of `kind` that are `wanted`, then each that is added, changed or deleted, for ever."""
    async with opened(data) as store:
        while True:
            listing = await store.list(kind, namespace)
            show([resource for resource in listing.items if wanted(resource)])
            changes = store.watch(kind, namespace, listing.resource_version)
            try:
                async with aclosing(cast("AsyncGenerator[WatchEvent, None]", changes)) as events:
                    async for event in events:
                        if event.resource is not None and wanted(event.resource):
                            show([event.resource])
            except ResourceExpired:
                continue
