"""`lmos get --watch`: the objects, then each change as it comes, until Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final, cast

from lmos.cli.terminal import error_console
from lmos.cli.workspace import Workspace
from lmos.operator.base import ResourceExpired, Store, WatchEvent
from lmos.operator.kubernetes.errors import Unavailable
from lmos.operator.kubernetes.transport import TransportError
from lmos.resources.base import Resource

__all__ = ["watch"]

_PAUSE: Final = 1.0

Show = Callable[[Sequence[Resource]], None]


async def watch(
    workspace: Workspace, kind: str, namespace: str, wanted: Callable[[Resource], bool], show: Show
) -> None:
    """Show the objects of `kind` that are `wanted`, then each that is added, changed or deleted, for ever.

    A fault while watching is said and what was missed is made up for; one before that is raised.
    """
    async with workspace.opened() as store:
        since, said = "", ""
        while True:
            if not since:
                listing = await store.list(kind, namespace)
                show([resource for resource in listing.items if wanted(resource)])
                since = listing.resource_version
            try:
                async for event in _changes(store, kind, namespace, since):
                    since, said = event.resource_version, ""
                    if event.resource is not None and wanted(event.resource):
                        show([event.resource])
            except ResourceExpired:
                since = ""
            except (TransportError, Unavailable) as fault:
                if str(fault) != said:
                    said = str(fault)
                    error_console().print(f"warning: {said}")
            await asyncio.sleep(_PAUSE)


async def _changes(store: Store, kind: str, namespace: str, since: str) -> AsyncGenerator[WatchEvent, None]:
    changes = cast("AsyncGenerator[WatchEvent, None]", store.watch(kind, namespace, since))
    async with aclosing(changes) as events:
        async for event in events:
            yield event
