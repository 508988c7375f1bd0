"""`lmos apply`: manifests into the store, created or changed as needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from lmos.cli.duration import seconds_of
from lmos.cli.errors import CommandError
from lmos.cli.options import Filenames, Namespace
from lmos.cli.refusals import OF_ONE_OBJECT, explain_refusal
from lmos.cli.selection import qualified
from lmos.cli.terminal import error_console
from lmos.cli.waiting import wait_for
from lmos.cli.where import HERE, Where
from lmos.cli.workspace import FIELD_MANAGER, Workspace, load_manifests
from lmos.operator.base import Store
from lmos.operator.kubernetes.reading import Unreadable
from lmos.resources.base import Resource
from lmos.resources.channel import Channel
from lmos.resources.kinds import kind_named

if TYPE_CHECKING:
    from lmos.resources.loader import Loaded

__all__ = ["apply"]

_TIMEOUT: Final = "30s"


def apply(
    *,
    filename: Filenames = (),
    namespace: Namespace = None,
    force_conflicts: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="Take over fields that other field managers own, on a cluster."
        ),
    ] = False,
    wait: Annotated[
        bool, Parameter(negative="", show_default=False, help="Wait until the applied Channels are RESOLVED.")
    ] = False,
    timeout: Annotated[str, Parameter(help="How long to wait: `30s`, `2m`.")] = _TIMEOUT,
    where: Where = HERE,
) -> int:
    """Create or change objects as manifests declare them.

    Nothing is written unless all manifests are right. A running platform, or the operator of a cluster, sees the change
    within a second; with nothing running on a data folder, channels are resolved at once.
    """
    if not filename:
        raise CommandError("no manifest is named", "write -f with a file, a folder, or - for standard input")
    seconds = seconds_of(timeout)
    workspace = where.workspace()
    loaded = load_manifests(workspace, filename, namespace)
    workspace.accept(loaded)
    code = asyncio.run(_apply(workspace, loaded, force=force_conflicts, wait=seconds if wait else None))
    python = [item.source for item in loaded if item.source.endswith(".agent.py")]
    for source in dict.fromkeys(python):
        error_console().print(f"note: the agents of {source} answer where `lmos up -f {source}` runs them")
    return code


async def _apply(workspace: Workspace, loaded: Sequence[Loaded], *, force: bool, wait: float | None) -> int:
    channels: list[Channel] = []
    refused = False
    async with workspace.opened() as store:
        for item in loaded:
            resource = item.resource
            try:
                outcome, written = await _apply_one(store, resource, force=force)
            except OF_ONE_OBJECT as error:
                refused = True
                error_console().print(explain_refusal(f"{item.source}: {resource.key}", error))
                continue
            print(f"{qualified(kind_named(resource.KIND), resource.metadata.name)} {outcome}")
            if isinstance(written, Channel):
                channels.append(written)
        await workspace.reconcile(store, {item.resource.metadata.namespace for item in loaded})
        resolved = wait is None or await wait_for(workspace, store, channels, wait)
    return 1 if refused or not resolved else 0


async def _apply_one(store: Store, resource: Resource, *, force: bool) -> tuple[str, Resource]:
    """`created`, `configured` or `unchanged`, and what is stored."""
    try:
        known = await store.get(resource.KIND, resource.metadata.namespace, resource.metadata.name)
    except Unreadable:
        # What is applied may be the cure.
        return "configured", await store.apply(resource, field_manager=FIELD_MANAGER, force=force)
    written = await store.apply(resource, field_manager=FIELD_MANAGER, force=force)
    if known is None:
        return "created", written
    same = written.metadata.resource_version == known.metadata.resource_version
    return "unchanged" if same else "configured", written
