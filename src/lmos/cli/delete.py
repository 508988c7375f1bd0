"""`lmos delete`: removes objects, and what they own, from the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from lmos.cli.errors import CommandError
from lmos.cli.get import find
from lmos.cli.options import DEFAULT_DATA, Data, Filenames, Namespace, Selector, namespace_or_default
from lmos.cli.selection import parse_selector, parse_targets
from lmos.cli.terminal import error_console
from lmos.cli.workspace import load_manifests, opened_if_there, reconcile_once
from lmos.operator.base import Store
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
    data: Data = DEFAULT_DATA,
) -> int:
    """Delete objects by name, by label or by manifest.

    A Channel's ChannelRouting goes with it; other channels are resolved again at once.
    """
    if bool(targets) == bool(filename):
        raise CommandError("say what to delete", "write TYPE NAME, TYPE/NAME or -f PATH, one of them")
    scope = namespace_or_default(namespace)
    if filename:
        keys = [item.resource.key for item in load_manifests(filename, namespace)]
    else:
        keys = asyncio.run(_named(data, targets, scope, selector, every=every))
    missing = asyncio.run(_delete(data, keys))
    for key in missing if not ignore_not_found else ():
        error_console().print(f"error: {kind_named(key.kind).singular} {key.name!r} not found in {key.namespace!r}")
    if not keys:
        error_console().print("No resources found")
    return 1 if missing and not ignore_not_found else 0


async def _named(
    data: Path, targets: Sequence[str], namespace: str, selector: str, *, every: bool
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
    async with opened_if_there(data) as store:
        return [resource.key for resource in await find(store, wanted, namespace, parse_selector(selector))]


async def _delete(data: Path, keys: Sequence[ResourceKey]) -> list[ResourceKey]:
    """Delete `keys`, saying so for each; returns those that did not exist."""
    async with opened_if_there(data) as store:
        if store is None:
            return list(keys)
        missing = [key for key in keys if not await _delete_one(store, key)]
        gone = {key.namespace for key in keys if key not in missing}
        await reconcile_once(store, data, gone)
        return missing


async def _delete_one(store: Store, key: ResourceKey) -> bool:
    done = await store.delete(key.kind, key.namespace, key.name)
    if done:
        print(f'{kind_named(key.kind).singular}.lmos.eclipse "{key.name}" deleted')
    return done
