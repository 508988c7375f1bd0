"""`lmos delete`: removes objects, and what they own, from the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from lmos.cli.errors import CommandError
from lmos.cli.get import find
from lmos.cli.options import Filenames, Namespace, Selector
from lmos.cli.refusals import OF_ONE_OBJECT, explain_refusal
from lmos.cli.selection import parse_selector, parse_targets
from lmos.cli.terminal import error_console
from lmos.cli.where import HERE, Where
from lmos.cli.workspace import Workspace, load_manifests
from lmos.resources.base import ResourceKey
from lmos.resources.kinds import kind_named

__all__ = ["delete"]


def delete(
    *targets: Annotated[str, Parameter(help="`TYPE NAME...` or `TYPE/NAME...`; `TYPE` alone with `-l` or `--all`.")],
    filename: Filenames = (),
    selector: Selector = "",
    every: Annotated[bool, Parameter(name="--all", negative="", show_default=False, help="All of the type.")] = False,
    ignore_not_found: Annotated[
        bool, Parameter(negative="", show_default=False, help="What does not exist is no error.")
    ] = False,
    namespace: Namespace = None,
    where: Where = HERE,
) -> int:
    """Delete objects by name, by label or by manifest.

    A Channel's ChannelRouting goes with it; other channels are resolved again at once.
    """
    if bool(targets) == bool(filename):
        raise CommandError("say what to delete", "write TYPE NAME, TYPE/NAME or -f PATH, one of them")
    workspace = where.workspace()
    if filename:
        keys = [item.resource.key for item in load_manifests(workspace, filename, namespace)]
    else:
        scope = workspace.namespace(namespace)
        keys = asyncio.run(_named(workspace, targets, scope, selector, every=every))
    missing, refused = asyncio.run(_delete(workspace, keys))
    for key in missing if not ignore_not_found else ():
        error_console().print(f"error: {kind_named(key.kind).singular} {key.name!r} not found in {key.namespace!r}")
    if not keys:
        error_console().print("No resources found")
    return 1 if refused or (missing and not ignore_not_found) else 0


async def _named(
    workspace: Workspace, targets: Sequence[str], namespace: str, selector: str, *, every: bool
) -> list[ResourceKey]:
    """The objects that are named, or that the selector finds. Raises `CommandError` when a type alone is named."""
    wanted = parse_targets(targets)
    named = all(target.name is not None for target in wanted)
    if named and (selector or every):
        raise CommandError("names and -l or --all exclude each other", "leave out one of them")
    if named:
        return [ResourceKey(kind=t.kind.kind, namespace=namespace, name=t.name or "") for t in wanted]
    if not selector and not every:
        raise CommandError(f"{targets[0]!r} names a type, but no object", "add its NAME, a selector with -l, or --all")
    async with workspace.opened_if_there() as store:
        return [resource.key for resource in await find(store, wanted, namespace, parse_selector(selector))]


async def _delete(workspace: Workspace, keys: Sequence[ResourceKey]) -> tuple[list[ResourceKey], bool]:
    """Delete `keys`, saying so for each; returns those that did not exist, and whether any may not be deleted."""
    async with workspace.opened_if_there() as store:
        if store is None:
            return list(keys), False
        missing: list[ResourceKey] = []
        gone: set[str] = set()
        refused = False
        for key in keys:
            try:
                done = await store.delete(key.kind, key.namespace, key.name)
            except OF_ONE_OBJECT as error:
                refused = True
                error_console().print(explain_refusal(str(key), error))
                continue
            if done:
                print(f'{kind_named(key.kind).singular}.lmos.eclipse "{key.name}" deleted')
                gone.add(key.namespace)
            else:
                missing.append(key)
        await workspace.reconcile(store, gone)
        return missing, refused
