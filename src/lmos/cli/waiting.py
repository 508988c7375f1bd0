"""`lmos apply --wait`: until the applied Channels are RESOLVED, or the time is over and each says what it lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from lmos.cli.selection import qualified
from lmos.cli.terminal import error_console
from lmos.cli.workspace import Workspace
from lmos.operator.base import Store
from lmos.resources.base import ResourceKey
from lmos.resources.channel import Channel, ResolveStatus
from lmos.resources.kinds import kind_named

__all__ = ["wait_for"]

_PAUSE: Final = 0.2


async def wait_for(workspace: Workspace, store: Store, channels: Sequence[Channel], seconds: float) -> bool:
    """Whether all of `channels` became RESOLVED within `seconds`; each is said, on stderr what is missing."""
    end = asyncio.get_running_loop().time() + seconds
    wanted = {channel.key: channel.metadata.generation for channel in channels}
    seen: dict[ResourceKey, Channel | None] = {}
    while wanted:
        for key, generation in list(wanted.items()):
            found = await store.get(key.kind, key.namespace, key.name)
            seen[key] = channel = found if isinstance(found, Channel) else None
            if channel is not None and _observed(channel, generation) and _resolved(channel):
                print(f"{qualified(kind_named(key.kind), key.name)} resolved")
                del wanted[key]
        if not wanted or not workspace.reconciles() or asyncio.get_running_loop().time() >= end:
            break
        await asyncio.sleep(_PAUSE)
    for key, generation in wanted.items():
        _complain(workspace, key, seen[key], generation, seconds)
    return not wanted


def _observed(channel: Channel, generation: int | None) -> bool:
    """Whether the status is about the spec that was applied, or a later one."""
    observed = channel.status.observed_generation if channel.status is not None else None
    return observed is not None and observed >= (generation or 0)


def _resolved(channel: Channel) -> bool:
    return channel.status is not None and channel.status.resolve_status is ResolveStatus.RESOLVED


def _complain(
    workspace: Workspace, key: ResourceKey, channel: Channel | None, generation: int | None, seconds: float
) -> None:
    console = error_console()
    if channel is None:
        console.print(f"error: {key} was deleted meanwhile")
    elif not _observed(channel, generation):
        console.print(f"error: {key} was not reconciled within {seconds:g} s")
        console.print(f"  fix: {workspace.operator_hint}")
    else:
        conditions = channel.status.conditions if channel.status is not None else ()
        why = next((f": {c.message}" for c in conditions if c.message), "")
        console.print(f"error: {key} is UNRESOLVED{why}")
        console.print(f"  fix: see `lmos describe channel {key.name} -n {key.namespace}` for agents that come close")
