"""`lmos chat`: a conversation over HTTP with a running platform, or over ARC with one agent."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lmos.cli.configuration import load_settings
from lmos.cli.errors import CommandError

if TYPE_CHECKING:
    from lmos.cli.chat_client import Peer

__all__ = ["chat"]

Words = Annotated[str, Parameter(help="What to say. Without it, a conversation line by line.")]
Tenant = Annotated[str | None, Parameter(help="Tenant of the channel.")]
Channel = Annotated[str | None, Parameter(help="Channel to speak through.")]
Subset = Annotated[str | None, Parameter(help="Subset of the channel; `stable` when not given.")]
AgentName = Annotated[str | None, Parameter(name="--agent", help="Ask this agent, whatever the router would decide.")]
ConversationId = Annotated[str | None, Parameter(help="Go on with this conversation.")]
UserId = Annotated[str, Parameter(help="Id of the user who speaks.")]
Profile = Annotated[
    tuple[str, ...],
    Parameter(
        negative="", show_default=False, help="KEY=VALUE about the user, for agents. May be given several times."
    ),
]
Params = Annotated[
    tuple[str, ...],
    Parameter(negative="", show_default=False, help="KEY=VALUE of the system context. May be given several times."),
]
Url = Annotated[str | None, Parameter(help="Address of the platform; from `LMOS_HOST` and `LMOS_PORT` when not given.")]
Direct = Annotated[
    bool, Parameter(negative="", show_default=False, help="`--url` is one agent (`lmos agent run`), not a platform.")
]
Why = Annotated[bool, Parameter(negative="", show_default=False, help="Show the router's decision, tools and times.")]
Format = Annotated[Literal["text", "json"], Parameter(name=["--output", "-o"], help="Output format.")]


def chat(
    *text: Words,
    tenant: Tenant = None,
    channel: Channel = None,
    subset: Subset = None,
    agent: AgentName = None,
    conversation: ConversationId = None,
    user: UserId = "cli",
    profile: Profile = (),
    param: Params = (),
    url: Url = None,
    direct: Direct = False,
    why: Why = False,
    output: Format = "text",
) -> int:
    """Talk to the agents of a channel, or to one agent.

    With TEXT it takes one turn and ends; without, it takes turns until Ctrl-D. The answer is shown as it is written,
    after the name of the agent that gives it. Exits with 1 when a turn fails.
    """
    from lmos.cli.chat_client import AgentPeer, PlatformPeer, Speaker
    from lmos.cli.chat_session import Session, one_turn

    if not direct and (tenant is None or channel is None):
        raise CommandError("no channel is named", "add --tenant and --channel; `lmos get channels` shows them")
    if direct and url is None:
        raise CommandError("--direct needs the agent's address", "add --url as `lmos agent run` prints it")
    if output == "json" and not text:
        raise CommandError("-o json is for one turn", 'add what to say, as in `lmos chat -o json ... "Hello"`')
    address, about, context = url or _platform_address(), _pairs("profile", profile), _pairs("param", param)

    def peer(name: str) -> Peer:
        speaker = Speaker(name, user, tenant, channel, subset, agent, about, context)
        return AgentPeer(address, speaker) if direct else PlatformPeer(address, speaker)

    chosen = conversation or f"chat-{uuid.uuid4().hex[:12]}"
    if text:
        return asyncio.run(one_turn(peer(chosen), " ".join(text), chosen, why=why, as_json=output == "json"))
    return Session(peer, chosen, why=why).run()


def _platform_address() -> str:
    settings = load_settings()
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    return f"http://{host}:{settings.port}"


def _pairs(option: str, words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """`KEY=VALUE` words as pairs. Raises `CommandError`."""
    if bad := next((word for word in words if not word.partition("=")[0] or "=" not in word), None):
        raise CommandError(f"--{option} {bad!r} is not KEY=VALUE", f"write as in --{option} customer=42")
    return tuple((key, value) for key, _, value in (word.partition("=") for word in words))
