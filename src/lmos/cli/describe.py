"""`lmos describe`: objects in words - what they declare, what came of it, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from lmos.cli.describing import Around, describe_resource
from lmos.cli.errors import CommandError
from lmos.cli.get import find
from lmos.cli.options import AllNamespaces, Namespace, Selector
from lmos.cli.selection import LabelSelector, Target, parse_selector, parse_targets
from lmos.cli.terminal import error_console, output_console
from lmos.cli.where import HERE, Where
from lmos.cli.workspace import Happening, Workspace, listed
from lmos.operator.base import ALL_NAMESPACES
from lmos.resources.base import Resource
from lmos.resources.channel import Channel
from lmos.resources.routing import ChannelRouting

__all__ = ["describe"]

Happenings = Mapping[str, Sequence[Happening]] | None


def describe(
    *targets: Annotated[str, Parameter(help="`TYPE`, `TYPE NAME...` or `TYPE/NAME...`.")],
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    selector: Selector = "",
    where: Where = HERE,
) -> int:
    """Tell everything about objects: conditions, who provides what, who came close, which channels an agent serves.

    Reads the data folder, where the platform need not be running, or a cluster, which also tells events.
    """
    workspace = where.workspace()
    wanted = parse_targets(targets)
    if all_namespaces and any(target.name is not None for target in wanted):
        raise CommandError("a name cannot be looked up in all namespaces", "leave out -A, or name the type only")
    scope = ALL_NAMESPACES if all_namespaces else workspace.namespace(namespace)
    found, around, happenings = asyncio.run(_read(workspace, wanted, scope, parse_selector(selector)))
    now = datetime.now(UTC)
    for number, resource in enumerate(found):
        if number:
            output_console().print("\n")
        output_console().print(describe_resource(resource, around, now, _of(happenings, resource)))
    keys = {(resource.KIND, resource.metadata.name) for resource in found}
    missing = [target for target in wanted if target.name and (target.kind.kind, target.name) not in keys]
    for target in missing:
        error_console().print(f"error: {target.kind.singular} {target.name!r} not found in namespace {scope!r}")
        error_console().print(f"  fix: see `lmos get {target.kind.plural} -A` for those that exist")
    if not found and not missing:
        error_console().print("No resources found")
    return 1 if missing else 0


def _of(happenings: Happenings, resource: Resource) -> Sequence[Happening] | None:
    return None if happenings is None else happenings.get(resource.metadata.uid or "", ())


async def _read(
    workspace: Workspace, wanted: Sequence[Target], namespace: str, selector: LabelSelector
) -> tuple[list[Resource], Around, Happenings]:
    async with workspace.opened_if_there() as store:
        found = await find(store, wanted, namespace, selector)
        channels = await listed(store, Channel.KIND, namespace)
        routings = await listed(store, ChannelRouting.KIND, namespace)
    around = Around(
        channels=tuple(c for c in channels if isinstance(c, Channel)),
        routings=tuple(r for r in routings if isinstance(r, ChannelRouting)),
    )
    return found, around, await workspace.happenings(found)
