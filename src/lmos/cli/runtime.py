"""`lmos runtime`: the runtime alone, with the routings of an operator elsewhere, until it is told to stop."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from lmos.cli.configuration import load_settings
from lmos.cli.options import DEFAULT_DATA, Data, Namespace

if TYPE_CHECKING:
    from lmos.settings import Settings

__all__ = ["DEFAULT_PORT", "runtime"]

DEFAULT_PORT: Final = 8081
"""That of the JVM runtime; an operator on the same machine has 8080."""

OperatorUrl = Annotated[str | None, Parameter(help="Base URL of the operator's REST API. [env var: LMOS_OPERATOR_URL]")]
Port = Annotated[
    int | None,
    Parameter(help=f"Port to listen on, {DEFAULT_PORT} if unset; 0 takes a free one. [env var: LMOS_PORT]"),
]
MetricsPort = Annotated[
    int | None, Parameter(help="Port of probes and metrics; 0 takes a free one. [env var: LMOS_METRICS_PORT]")
]
Host = Annotated[str | None, Parameter(help="Address to listen on. [env var: LMOS_HOST]")]


def runtime(
    *,
    operator_url: OperatorUrl = None,
    port: Port = None,
    metrics_port: MetricsPort = None,
    host: Host = None,
    namespace: Namespace = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Run the runtime alone: take turns, and route them as an operator says, ours or that of Eclipse LMOS.

    Prints its addresses, and stays until Ctrl-C or SIGTERM. It goes on with what it knows while the operator is away.
    """
    settings = load_settings(
        operator_url=operator_url, port=port, metrics_port=metrics_port, host=host, namespace=namespace, data=data
    )
    import uvloop

    from lmos.cli.serving_log import configure_log
    from lmos.telemetry.export import exporting

    configure_log(settings)
    with exporting("lmos-runtime"):
        uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    from lmos.cli.addresses import address_of
    from lmos.cli.stopping import until_stopped
    from lmos.server.runtime import RuntimeProcess
    from lmos.server.serve import listen, serving
    from lmos.telemetry import names
    from lmos.telemetry.logs import logger

    log = logger("server")
    port = settings.port if "port" in settings.model_fields_set else DEFAULT_PORT
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(until_stopped(lambda: log.info(names.EVENT_STOPPING)))
        sock = listen(settings.host, port)
        stack.callback(sock.close)
        probing = listen(settings.host, settings.metrics_port, option="--metrics-port")
        stack.callback(probing.close)
        process = await stack.enter_async_context(RuntimeProcess.open(settings))
        await stack.enter_async_context(serving(process.probes, probing, shutdown_seconds=1))
        await stack.enter_async_context(serving(process.app, sock, give_up=process.runtime.stop_turns))
        print(f"runtime at http://{address_of(sock)}, probes and metrics at http://{address_of(probing)}", flush=True)
        await stop.event.wait()
