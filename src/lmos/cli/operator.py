"""`lmos operator`: the operator of a Kubernetes cluster, until it is told to stop."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from lmos.cli.configuration import load_settings

if TYPE_CHECKING:
    from lmos.settings import Settings

__all__ = ["operator"]

PATIENCE_SECONDS: Final = 30.0
"""How long a reader may take nothing of what it is sent."""

Namespaces = Annotated[
    str | None,
    Parameter(help="Namespaces to watch, comma-separated; all when none is named. [env var: LMOS_NAMESPACES]"),
]
Host = Annotated[str | None, Parameter(help="Address to listen on. [env var: LMOS_HOST]")]
Port = Annotated[int | None, Parameter(help="Port of the REST API; 0 takes a free one. [env var: LMOS_PORT]")]
MetricsPort = Annotated[
    int | None, Parameter(help="Port of probes and metrics; 0 takes a free one. [env var: LMOS_METRICS_PORT]")
]
LeaderElect = Annotated[
    bool | None,
    Parameter(help="Reconcile only while this process holds the Lease. [env var: LMOS_LEADER_ELECT]"),
]
LeaseName = Annotated[str | None, Parameter(help="Name of the operators' Lease. [env var: LMOS_LEASE_NAME]")]
LeaseNamespace = Annotated[
    str | None, Parameter(help="Namespace of the Lease; the Pod's own if unset. [env var: LMOS_LEASE_NAMESPACE]")
]
Discovery = Annotated[
    bool | None,
    Parameter(help="Make Agents of Deployments, and ask agents what they can do. [env var: LMOS_DISCOVERY]"),
]
ArgoRollouts = Annotated[
    bool | None, Parameter(help="Discovery looks at Argo's Rollouts too. [env var: LMOS_ARGO_ROLLOUTS]")
]
Kubeconfig = Annotated[
    str | None,
    Parameter(
        help="Kubeconfig file; if unset that of `KUBECONFIG`, the Pod's own, or `~/.kube/config`. "
        "[env var: LMOS_KUBECONFIG]"
    ),
]
Context = Annotated[str | None, Parameter(help="Context of the kubeconfig. [env var: LMOS_CONTEXT]")]


def operator(
    *,
    namespaces: Namespaces = None,
    host: Host = None,
    port: Port = None,
    metrics_port: MetricsPort = None,
    leader_elect: LeaderElect = None,
    lease_name: LeaseName = None,
    lease_namespace: LeaseNamespace = None,
    discovery: Discovery = None,
    argo_rollouts: ArgoRollouts = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Run the operator of a Kubernetes cluster: resolve Channels, discover Agents, answer the operator's REST API.

    Several may run: one leads and reconciles, all answer. Prints its addresses, and stays until Ctrl-C or SIGTERM.
    """
    settings = load_settings(
        namespaces=namespaces,
        host=host,
        port=port,
        metrics_port=metrics_port,
        leader_elect=leader_elect,
        lease_name=lease_name,
        lease_namespace=lease_namespace,
        discovery=discovery,
        argo_rollouts=argo_rollouts,
        kubeconfig=kubeconfig,
        context=context,
    )
    import uvloop

    from lmos.cli.serving_log import configure_log
    from lmos.telemetry.export import exporting

    configure_log(settings)
    with exporting("lmos-operator"):
        uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    from lmos.cli.addresses import address_of
    from lmos.cli.stopping import until_stopped
    from lmos.server.operator import OperatorProcess
    from lmos.server.serve import listen, serving
    from lmos.telemetry import names
    from lmos.telemetry.logs import logger

    log = logger("server")

    async with AsyncExitStack() as stack:
        stop = stack.enter_context(until_stopped(lambda: log.info(names.EVENT_STOPPING)))
        sock = listen(settings.host, settings.port, patience=PATIENCE_SECONDS)
        stack.callback(sock.close)
        probing = listen(settings.host, settings.metrics_port, option="--metrics-port")
        stack.callback(probing.close)
        process = await stack.enter_async_context(OperatorProcess.open(settings))
        await stack.enter_async_context(serving(process.probes, probing, shutdown_seconds=1))
        await stack.enter_async_context(serving(process.app, sock, shutdown_seconds=1))
        stack.callback(process.stop)
        print(f"operator at http://{address_of(sock)}, probes and metrics at http://{address_of(probing)}", flush=True)
        await stop.event.wait()
