"""A whole Kubernetes control plane on loopback, for tests and benchmarks; README.md says what it is made of."""

from __future__ import annotations

from tools.testcluster.access import Access, KubectlFailed
from tools.testcluster.binaries import BadAssets, Binaries, NoBinaries
from tools.testcluster.cluster import Cluster
from tools.testcluster.credentials import ADMIN, ROLES, Role
from tools.testcluster.definitions import definitions
from tools.testcluster.given import GivenCluster
from tools.testcluster.parts import API, API_SERVER, CONTROLLERS, ETCD, KWOK, SCHEDULER, WHOLE
from tools.testcluster.process import Part

__all__ = [
    "ADMIN",
    "API",
    "API_SERVER",
    "CONTROLLERS",
    "ETCD",
    "KWOK",
    "ROLES",
    "SCHEDULER",
    "WHOLE",
    "Access",
    "BadAssets",
    "Binaries",
    "Cluster",
    "GivenCluster",
    "KubectlFailed",
    "NoBinaries",
    "Part",
    "Role",
    "definitions",
]
