"""`lmos plan`: what a change would do to channels, before it is applied. Writes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from lmos.cli.documents import print_document
from lmos.cli.errors import CommandError
from lmos.cli.options import Filenames, Namespace, ReportFormat
from lmos.cli.selection import parse_targets
from lmos.cli.terminal import error_console, output_console, table
from lmos.cli.where import HERE, Where
from lmos.cli.workspace import Workspace, listed, load_manifests
from lmos.resources.agent import Agent
from lmos.resources.base import Resource, ResourceKey
from lmos.resources.channel import Channel
from lmos.resources.kinds import kind_named

if TYPE_CHECKING:
    from lmos.operator.plan import ChannelPlan, Plan, Provider

__all__ = ["NEWLY_UNRESOLVED", "plan"]

NEWLY_UNRESOLVED: Final = 2

_STYLES: Final = {"becomes unresolved": "red", "becomes resolved": "green", "added": "green", "rewired": "yellow"}
_NOBODY: Final = "<nobody>"


def plan(
    *,
    filename: Filenames = (),
    delete: Annotated[
        tuple[str, ...],
        Parameter(negative="", show_default=False, help="Plan the removal of TYPE/NAME. May be given several times."),
    ] = (),
    namespace: Namespace = None,
    output: ReportFormat = "table",
    where: Where = HERE,
) -> int:
    """Show which channels would change provider or become unresolved, without applying anything.

    Exits with 2 when a channel would become unresolved (or a new one would be), 1 for bad input, else 0. Compares with
    the data folder, which may be missing, or with a cluster; the platform need not be running.
    """
    from lmos.operator.plan import plan as compare

    if not filename and not delete:
        raise CommandError("there is nothing to plan", "write -f PATH, --delete TYPE/NAME, or both")
    workspace = where.workspace()
    loaded = load_manifests(workspace, filename, namespace) if filename else []
    workspace.accept(loaded)
    changes = [item.resource for item in loaded]
    deletions = _deletions(delete, workspace.namespace(namespace)) if delete else []
    current = asyncio.run(_read(workspace, [*(resource.key for resource in changes), *deletions]))
    for key in deletions:
        if all(key != resource.key for resource in current):
            kind = kind_named(key.kind)
            raise CommandError(f"{kind.singular} {key.name!r} not found in namespace {key.namespace!r}")
    try:
        result = compare(current, changes, deletions)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if output == "table":
        _print(result)
    else:
        print_document(_document(result), output)
    return NEWLY_UNRESOLVED if result.newly_unresolved else 0


def _deletions(words: Sequence[str], namespace: str) -> list[ResourceKey]:
    if bad := next((word for word in words if "/" not in word), None):
        raise CommandError(f"--delete {bad!r} is not TYPE/NAME", "write as in --delete agent/billing")
    targets = parse_targets(words) if words else []
    return [ResourceKey(kind=t.kind.kind, namespace=namespace, name=t.name or "") for t in targets]


async def _read(workspace: Workspace, touched: Sequence[ResourceKey]) -> list[Resource]:
    """What decides how channels resolve in the namespaces of `touched`, and what of that may be deleted."""
    kinds = {Agent.KIND, Channel.KIND, *(key.kind for key in touched)}
    namespaces = sorted({key.namespace for key in touched})
    async with workspace.opened_if_there() as store:
        return [r for namespace in namespaces for kind in sorted(kinds) for r in await listed(store, kind, namespace)]


def _print(result: Plan) -> None:
    console = output_console()
    changed = result.changed
    namespaces = len({channel.channel.namespace for channel in changed}) > 1
    for channel in changed:
        console.print(_heading(channel, namespaces=namespaces))
        rows = [
            (_sign(change.old, change.new), change.name, change.required_version, _move(change.old, change.new))
            for change in channel.capabilities
        ]
        if rows:
            console.print(table((), rows, indent="  "))
        _print_unresolved(console, channel)
    if changed:
        console.print()
    console.print(_summary(result))
    if result.newly_unresolved:
        names = ", ".join(key.name for key in result.newly_unresolved)
        error_console().print(Text(f"would become unresolved: {names}", "red"))


def _print_unresolved(console: Console, channel: ChannelPlan) -> None:
    """Why capabilities lose their provider or never get one; those that were missing before are only named."""
    changed = {(change.name, change.required_version) for change in channel.capabilities}
    still: list[str] = []
    for missing in channel.unresolved:
        required = missing.required
        if channel.old_status is not None and (required.name, required.version) not in changed:
            still.append(f"{required.name} {required.version}")
            continue
        console.print(Text(f"  ! {missing.message}", "red"))
        for miss in missing.near_misses:
            console.print(f"      {miss.agent} {miss.message}")
    if still:
        console.print(f"  ! still missing: {', '.join(still)}")


def _heading(channel: ChannelPlan, *, namespaces: bool) -> Text:
    key = channel.channel
    name = f"{key.namespace}/{key.name}" if namespaces else key.name
    text = Text.assemble(
        (f"channel {name}", "bold"), "  ", (channel.outcome.value, _STYLES.get(channel.outcome.value, ""))
    )
    statuses = [status.value for status in (channel.old_status, channel.new_status) if status is not None]
    return text.append(f"  {' -> '.join(dict.fromkeys(statuses))}")


def _sign(old: Provider | None, new: Provider | None) -> str:
    if old is None:
        return "+"
    return "-" if new is None else "~"


def _move(old: Provider | None, new: Provider | None) -> str:
    return f"{old or _NOBODY} -> {new or _NOBODY}"


def _summary(result: Plan) -> str:
    """`2 of 5 channels change (becomes unresolved: 1, rewired: 1).`"""
    if not result.changed:
        count = len(result.channels)
        return "No channel changes." if count else "There are no channels."
    outcomes = [channel.outcome.value for channel in result.changed]
    counts = ", ".join(f"{outcome}: {outcomes.count(outcome)}" for outcome in dict.fromkeys(outcomes))
    verb = "changes" if len(outcomes) == 1 else "change"
    channels = "channel" if len(result.channels) == 1 else "channels"
    return f"{len(outcomes)} of {len(result.channels)} {channels} {verb} ({counts})."


def _document(result: Plan) -> dict[str, Any]:
    """The plan as data: changed channels only, wire names."""
    return {
        "channels": [_channel_document(channel) for channel in result.changed],
        "newlyUnresolved": [{"namespace": key.namespace, "name": key.name} for key in result.newly_unresolved],
    }


def _channel_document(channel: ChannelPlan) -> dict[str, Any]:
    return {
        "namespace": channel.channel.namespace,
        "name": channel.channel.name,
        "outcome": channel.outcome.value,
        "oldStatus": channel.old_status and channel.old_status.value,
        "newStatus": channel.new_status and channel.new_status.value,
        "capabilities": [
            {
                "name": change.name,
                "requiredVersion": change.required_version,
                "old": _provider_document(change.old),
                "new": _provider_document(change.new),
            }
            for change in channel.capabilities
        ],
        "unresolved": [
            {
                "name": missing.required.name,
                "requiredVersion": missing.required.version,
                "reason": missing.reason,
                "message": missing.message,
                "nearMisses": [miss.model_dump(mode="json", by_alias=True) for miss in missing.near_misses],
            }
            for missing in channel.unresolved
        ],
    }


def _provider_document(provider: Provider | None) -> dict[str, str] | None:
    return None if provider is None else {"agent": provider.agent, "version": provider.version}
