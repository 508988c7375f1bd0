"""`lmos up`: the whole platform in this process, until it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from lmos.cli.configuration import load_settings
from lmos.cli.options import DEFAULT_DATA, Data, Filenames, Namespace

if TYPE_CHECKING:
    from lmos.settings import Settings

__all__ = ["up"]

Port = Annotated[int | None, Parameter(help="Port to listen on; 0 takes a free one. [env var: LMOS_PORT]")]
Host = Annotated[str | None, Parameter(help="Address to listen on. [env var: LMOS_HOST]")]
OperatorPort = Annotated[
    int | None,
    Parameter(
        validator=validators.Number(gte=0, lte=65535), help="Serve the operator's REST API on a port of its own, too."
    ),
]
ModelName = Annotated[
    str | None,
    Parameter(
        name="--model",
        help="Language model of local agents: `offline`, a pydantic-ai name such as `openai:gpt-5-mini`, or the "
        "URL of an OpenAI-compatible server with `#model` at its end. [env var: LMOS_MODEL]",
    ),
]


def up(
    *,
    filename: Filenames = (),
    port: Port = None,
    host: Host = None,
    operator_port: OperatorPort = None,
    model: ModelName = None,
    namespace: Namespace = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Run the whole platform in this process: operator, router, runtime and the agents of `*.agent.py` files.

    Applies the manifests, prints the addresses once everything is reconciled, and stays until Ctrl-C or SIGTERM.
    Objects applied by other commands with the same `--data` are seen within a second.
    """
    started = time.monotonic()
    settings = load_settings(port=port, host=host, model=model, namespace=namespace, data=data)
    import uvloop

    from lmos.cli.serving_log import configure_log
    from lmos.telemetry.export import exporting

    configure_log(settings)
    with exporting("lmos"):
        uvloop.run(_run(settings, filename, operator_port, started))


async def _run(settings: Settings, paths: Sequence[str], operator_port: int | None, started: float) -> None:
    from lmos.cli.addresses import address_of, own_host
    from lmos.cli.stopping import Stopped, until_stopped
    from lmos.cli.welcome import welcome
    from lmos.server.platform import Platform
    from lmos.server.serve import listen, serving

    async with AsyncExitStack() as stack:
        stop = stack.enter_context(until_stopped())
        sock = listen(settings.host, settings.port)
        stack.callback(sock.close)
        address = address_of(sock)
        addresses = {"Platform": f"http://{address}"}
        operator_sock = None
        if operator_port is not None:
            operator_sock = listen(settings.host, operator_port)
            stack.callback(operator_sock.close)
            addresses["Operator"] = f"http://{address_of(operator_sock)}"
        platform = await stack.enter_async_context(Platform.open(settings, platform_host=own_host(sock)))
        await stack.enter_async_context(serving(platform.app, sock, give_up=platform.runtime.stop_turns))
        if operator_sock is not None:
            await stack.enter_async_context(serving(platform.operator_app, operator_sock))
            stack.callback(platform.manager.catalog.close)
        try:
            await stop.unless(platform.start(paths))
            await welcome(platform, addresses, time.monotonic() - started)
            await stop.event.wait()
        except Stopped:
            pass
