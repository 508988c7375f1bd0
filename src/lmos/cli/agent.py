"""`lmos agent new` writes an agent in Python, `lmos agent run` serves it and reloads it when it changes."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter, validators

from lmos.cli.configuration import load_settings
from lmos.cli.errors import CommandError
from lmos.cli.terminal import output_console

if TYPE_CHECKING:
    from lmos.agents.serving import LocalAgents
    from lmos.settings import Settings

__all__ = ["DEFAULT_PORT", "agent", "new", "run"]

DEFAULT_PORT: Final = 8090
"""Not the platform's 8080, so that both run side by side."""

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

_TEMPLATE: Final = '''\
from lmos import Agent, Capability


def order_status(order: int) -> str:
    """Where an order is and when it arrives."""
    return f"Order {{order}} is on its way and arrives tomorrow."


agent = Agent(
    name="{name}",
    description="Tells where orders are.",
    capabilities=[Capability("order-status", examples=["Where is my order 4711?", "When does order 12 arrive?"])],
    prompt="Answer questions about orders. Be brief.",
    tools=[order_status],
    channels=["web"],
)
'''

agent = App(name="agent", help="Write and run agents in Python.")

Port = Annotated[
    int, Parameter(validator=validators.Number(gte=0, lte=65535), help="Port to listen on; 0 takes a free one.")
]
Host = Annotated[str | None, Parameter(help="Address to listen on. [env var: LMOS_HOST]")]
ModelName = Annotated[
    str | None, Parameter(name="--model", help="Language model, as for `lmos up`. [env var: LMOS_MODEL]")
]


@agent.command
def new(
    name: Annotated[str, Parameter(help="Name of the agent: lower-case letters, digits and '-'.")],
    /,
    *,
    folder: Annotated[Path, Parameter(help="Where to write it.")] = Path(),
) -> None:
    """Write a small agent that works to NAME.agent.py. A file that exists is left alone."""
    if not _NAME.fullmatch(name):
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-") or "my-agent"
        raise CommandError(f"{name!r} is no name for an agent", f"write e.g. {slug!r}: lower-case letters, digits, '-'")
    path = folder / f"{name}.agent.py"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_TEMPLATE.format(name=name))
    except FileExistsError as error:
        raise CommandError(f"{path} exists already", "choose another name, or remove it first") from error
    print(f"wrote {path}; serve it with `lmos agent run {path}`")


@agent.command
def run(
    file: Annotated[Path, Parameter(help="A `*.agent.py` file, or a folder of them.")],
    /,
    *,
    port: Port = DEFAULT_PORT,
    host: Host = None,
    model: ModelName = None,
) -> None:
    """Serve the agents of a file over ARC, and reload them when the file changes.

    Stays until Ctrl-C or SIGTERM. While the file is broken, the agents of before go on answering.
    """
    settings = load_settings(host=host, port=port, model=model)
    import uvloop

    from lmos.cli.serving_log import configure_log

    configure_log(settings)
    uvloop.run(_serve(settings, file))


async def _serve(settings: Settings, file: Path) -> None:
    from lmos.agents.loading import load_agents
    from lmos.agents.reload import reload_agents
    from lmos.agents.serving import LocalAgents, serve_app
    from lmos.cli.addresses import address_of
    from lmos.cli.stopping import until_stopped
    from lmos.models.registry import model_named
    from lmos.server.serve import listen, serving

    key = settings.model_api_key
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(until_stopped())
        found = load_agents(file)
        model = model_named(settings.model, api_key=key.get_secret_value() if key else None)
        agents = LocalAgents(model, found)
        stack.push_async_callback(agents.aclose)
        sock = listen(settings.host, settings.port)
        stack.callback(sock.close)
        await stack.enter_async_context(serving(serve_app(agents), sock))
        reloading = asyncio.create_task(reload_agents(file, agents.replace, stop=stop.event))
        stack.push_async_callback(asyncio.wait, {reloading})
        stack.callback(reloading.cancel)
        _announce(agents, f"http://{address_of(sock)}", settings.model)
        await stop.event.wait()


def _announce(agents: LocalAgents, url: str, model: str) -> None:
    console = output_console()
    console.print(f"serving {', '.join(agents.names)} at {url} with model {model}; Ctrl-C stops, a change reloads")
    console.print(f"  capabilities  {url}/.well-known/capabilities.json")
    console.print(f'  try           lmos chat --direct --url {url} "Where is my order 4711?"')
    console.file.flush()
