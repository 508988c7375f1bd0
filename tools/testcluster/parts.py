"""The programs of a cluster and how each is called. One function a part; `cluster.py` starts and ends them.

A part that serves listens on a port that the cluster holds for it (`ports.py`). The flags here are those that a fast,
small cluster on loopback needs; each that surprises says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.testcluster.binaries import Binaries
from tools.testcluster.credentials import ADMIN, Credentials
from tools.testcluster.recipe import STAGES

__all__ = ["API", "API_SERVER", "CONTROLLERS", "ETCD", "KWOK", "SCHEDULER", "WHOLE", "Site", "command"]

ETCD: Final = "etcd"
API: Final = "kube-apiserver"
CONTROLLERS: Final = "kube-controller-manager"
SCHEDULER: Final = "kube-scheduler"
KWOK: Final = "kwok"

API_SERVER: Final = (ETCD, API)
"""Enough for storage, watches, admission and RBAC. Nothing is collected, a deleted namespace stays."""

WHOLE: Final = (*API_SERVER, CONTROLLERS, SCHEDULER, KWOK)
"""Deployments become available, namespaces go, owners take their objects with them."""

_CONTROLLERS: Final = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "job-controller",
    "endpointslice-controller",
    "disruption-controller",
)


@dataclass(frozen=True)
class Site:
    """What the command lines are made of."""

    folder: Path
    binaries: Binaries
    credentials: Credentials
    etcd_port: int
    peer_port: int
    api_port: int

    @property
    def etcd_url(self) -> str:
        return f"http://127.0.0.1:{self.etcd_port}"

    @property
    def kubeconfig(self) -> str:
        return str(self.credentials.kubeconfig(ADMIN))


def command(part: str, site: Site, flags: Sequence[str] = ()) -> list[str]:
    """The command line of `part`. `flags` come last, so they win. Raises `NoBinaries`."""
    return [str(site.binaries.program(part)), *_PARTS[part](site), *flags]


def _etcd(site: Site) -> list[str]:
    peer = f"http://127.0.0.1:{site.peer_port}"
    return [
        f"--data-dir={site.folder / 'etcd'}",
        f"--listen-client-urls={site.etcd_url}",
        f"--advertise-client-urls={site.etcd_url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--socket-reuse-port",  # the cluster holds the ports
        "--unsafe-no-fsync",
        "--log-level=error",
    ]


def _api_server(site: Site) -> list[str]:
    folder = site.folder
    return [
        f"--etcd-servers={site.etcd_url}",
        "--bind-address=127.0.0.1",
        f"--secure-port={site.api_port}",
        "--permit-port-sharing",  # the cluster holds the port
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",  # else a loopback address is refused
        f"--tls-cert-file={folder / 'server.crt'}",
        f"--tls-private-key-file={folder / 'server.key'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'accounts.key'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--allow-privileged",
        # Told to end, it waits a minute for its watchers to go: tell them to.
        "--shutdown-watch-termination-grace-period=1s",
        "--shutdown-send-retry-after",
        # The taint that it sets is lifted by a controller for real nodes, which does not run.
        "--disable-admission-plugins=TaintNodesByCondition",
    ]


def _controllers(site: Site) -> list[str]:
    return [
        *_client(site),
        f"--controllers={','.join(_CONTROLLERS)}",
        "--use-service-account-credentials=true",  # as kubeadm does: each is a user of its own, with its own rights
        f"--service-account-private-key-file={site.folder / 'accounts.key'}",
        f"--root-ca-file={site.credentials.authority}",
    ]


def _scheduler(site: Site) -> list[str]:
    return _client(site)


def _client(site: Site) -> list[str]:
    # Kubernetes' own limits of requests make a test wait for nothing.
    limits = ["--kube-api-qps=500", "--kube-api-burst=1000"]
    return [f"--kubeconfig={site.kubeconfig}", "--leader-elect=false", "--secure-port=0", *limits]


def _kwok(site: Site) -> list[str]:
    return [
        f"--kubeconfig={site.kubeconfig}",
        f"--config={site.binaries.file(STAGES)}",
        "--manage-all-nodes=true",
        "--node-port=0",  # no logs, exec or metrics of pods that do not run
    ]


_PARTS: Final[Mapping[str, Callable[[Site], list[str]]]] = {
    ETCD: _etcd,
    API: _api_server,
    CONTROLLERS: _controllers,
    SCHEDULER: _scheduler,
    KWOK: _kwok,
}
