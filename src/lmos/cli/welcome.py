"""What `lmos up` prints once everything is ready: addresses, channels, and a line to try."""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Mapping
from typing import Final

from rich.text import Text

from lmos import __version__
from lmos.cli.terminal import Cell, output_console, status_text, table
from lmos.resources.agent import STABLE
from lmos.resources.channel import Channel, ResolveStatus
from lmos.resources.routing import ChannelRouting
from lmos.server.platform import Platform

__all__ = ["try_line", "welcome"]

_NO_CHANNEL: Final = "There is no channel yet: declare agents and a channel, then `lmos apply -f PATH`."


async def welcome(platform: Platform, addresses: Mapping[str, str], seconds: float) -> None:
    """Print it to stdout."""
    settings, console = platform.settings, output_console()
    listed = (await platform.store.list(ChannelRouting.KIND, settings.namespace)).items
    routings = {r.metadata.name: r for r in listed if isinstance(r, ChannelRouting)}
    listed = (await platform.store.list(Channel.KIND, settings.namespace)).items
    channels = [c for c in listed if isinstance(c, Channel)]
    console.print(
        Text.assemble((f"lmos {__version__} is ready", "bold green"), f" after {seconds:.1f} s; Ctrl-C stops it")
    )
    facts: list[tuple[Cell, Cell]] = [(name, url) for name, url in addresses.items()]
    facts += [("API", f"{addresses['Platform']}/docs"), ("Data", str(settings.data)), ("Model", settings.model)]
    console.print()
    console.print(table((), facts))
    console.print()
    rows = [_row(channel, routings.get(channel.metadata.name)) for channel in channels]
    console.print(table(("CHANNEL", "TENANT", "SUBSET", "STATUS", "AGENTS"), rows) if rows else _NO_CHANNEL)
    sample = next((routings[c.metadata.name] for c in channels if _answers(c, routings.get(c.metadata.name))), None)
    if sample is not None:
        subset = "" if sample.subset == STABLE else f" --subset {sample.subset}"
        console.print("\nTry:")
        console.print(f"  {try_line(addresses['Platform'], sample)}")
        console.print(
            f"  lmos chat --url {addresses['Platform']} --tenant {sample.tenant} --channel {sample.channel}{subset}"
        )
    console.file.flush()


def _answers(channel: Channel, routing: ChannelRouting | None) -> bool:
    """Whether a turn on the channel finds everything that the channel needs."""
    resolved = channel.status is not None and channel.status.resolve_status is ResolveStatus.RESOLVED
    return (
        resolved and routing is not None and bool(routing.tenant and routing.channel and routing.spec.capability_groups)
    )


def _row(channel: Channel, routing: ChannelRouting | None) -> tuple[Cell, ...]:
    status = channel.status.resolve_status if channel.status is not None else None
    agents = ", ".join(group.name for group in routing.spec.capability_groups) if routing is not None else ""
    if status is ResolveStatus.UNRESOLVED:
        agents = f"{agents or 'none'}; see `lmos describe channel {channel.metadata.name}`"
    name = channel.channel or channel.metadata.name
    return (
        name,
        channel.tenant or "<none>",
        channel.subset,
        status_text(status.value if status else "<unknown>"),
        agents,
    )


def try_line(url: str, routing: ChannelRouting) -> str:
    """A curl command that takes one turn on `routing`: an example of its first capability, in a new conversation."""
    capability = next(c for group in routing.spec.capability_groups for c in group.capabilities)
    body = {
        "inputContext": {"messages": [{"role": "user", "content": next(iter(capability.examples), "Hello!")}]},
        "systemContext": {"channelId": routing.channel},
        "userContext": {"userId": "me"},
    }
    headers = ["content-type: application/json", "x-turn-id: 1"]
    if routing.subset != STABLE:
        headers.append(f"x-subset: {routing.subset}")
    words = ["curl", "-s", f"{url}/apis/v1/{routing.tenant}/chat/try-{uuid.uuid4().hex[:8]}/message"]
    words += [word for header in headers for word in ("-H", header)]
    return shlex.join([*words, "-d", json.dumps(body, ensure_ascii=False)])
