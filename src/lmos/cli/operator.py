"""`lmos operator`: the operator of a Kubernetes cluster, until it is told to stop."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from lmos.cli.configuration import load_settings
from lmos.cli.errors import CommandError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from lmos.settings import Settings

__all__ = ["operator"]

PATIENCE_SECONDS: Final = 30.0
"""How long a reader may take nothing of what it is sent."""

GARBAGE: Final = (10_000, 10, 10)
"""When CPython looks for cycles of objects: there are few, so less often than by default, at 700 new objects."""

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
Admission = Annotated[
    Literal["off", "warn", "deny"] | None,
    Parameter(help="Serve the admission webhook, which warns or denies. [env var: LMOS_ADMISSION]"),
]
AdmissionPort = Annotated[
    int | None, Parameter(help="Port of the webhook; 0 takes a free one. [env var: LMOS_ADMISSION_PORT]")
]
AdmissionCert = Annotated[
    Path | None, Parameter(help="Certificate of the webhook, a PEM file. [env var: LMOS_ADMISSION_CERT]")
]
AdmissionKey = Annotated[
    Path | None, Parameter(help="Key of that certificate, a PEM file. [env var: LMOS_ADMISSION_KEY]")
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
    admission: Admission = None,
    admission_port: AdmissionPort = None,
    admission_cert: AdmissionCert = None,
    admission_key: AdmissionKey = None,
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
        admission=admission,
        admission_port=admission_port,
        admission_cert=admission_cert,
        admission_key=admission_key,
        kubeconfig=kubeconfig,
        context=context,
    )
    if settings.admission != "off" and not (settings.admission_cert and settings.admission_key):
        raise CommandError(
            "the admission webhook has no certificate",
            "name PEM files with --admission-cert and --admission-key (LMOS_ADMISSION_CERT, LMOS_ADMISSION_KEY)",
        )
    import gc

    import uvloop

    from lmos.cli.serving_log import configure_log
    from lmos.telemetry.export import exporting

    configure_log(settings)
    gc.set_threshold(*GARBAGE)
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
        await stack.enter_async_context(serving(process.probes, probing, shutdown_seconds=1, websockets=False))
        await stack.enter_async_context(serving(process.app, sock, shutdown_seconds=1, websockets=False))
        if process.admission is not None:
            print(f"webhook at https://{await _serve_webhook(stack, settings, process.admission)}")
        stack.callback(process.stop)
        print(f"operator at http://{address_of(sock)}, probes and metrics at http://{address_of(probing)}", flush=True)
        await stop.event.wait()


async def _serve_webhook(stack: AsyncExitStack, settings: Settings, app: ASGIApp) -> str:
    """Where it is served."""
    from lmos.cli.addresses import address_of
    from lmos.operator.admission import PATH
    from lmos.server.serve import listen, serving
    from lmos.server.tls import renewed_certificate

    sock = listen(settings.host, settings.admission_port, option="--admission-port")
    stack.callback(sock.close)
    cert, key = settings.admission_cert or Path(), settings.admission_key or Path()
    tls = await stack.enter_async_context(renewed_certificate(cert, key))
    await stack.enter_async_context(serving(app, sock, shutdown_seconds=1, tls=tls))
    return f"{address_of(sock)}{PATH}"
