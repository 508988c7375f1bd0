"""What all parts of the benchmark share: a control plane, who changes objects there, the operators under measurement.

Each operator is a process of its own, and its CPU is that process's. Where wall time counts, keep in mind that API
server, etcd, operator and customer share the machine's cores.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from benchmarks.operator.customer import Customer
from benchmarks.processes import LMOS, cpu_seconds, free_port
from lmos.testing.processes import ChildProcess
from tools.testcluster import API, API_SERVER, Cluster, definitions

__all__ = ["Bench", "Subject", "on_a_new_cluster"]

REPOSITORY = Path(__file__).parent.parent.parent


@dataclass
class Subject:
    """An operator that runs, its log in files of the benchmark's folder."""

    child: ChildProcess
    process: psutil.Process
    metrics_url: str = ""

    @property
    def cpu(self) -> float:
        """CPU seconds so far."""
        return cpu_seconds(self.process)

    @property
    def megabytes(self) -> float:
        """Resident memory, in millions of bytes."""
        return self.process.memory_info().rss / 1e6


@dataclass
class Bench:
    """`scale` multiplies numbers of objects: 1 for figures that are kept, less to try things out."""

    cluster: Cluster
    customer: Customer
    folder: Path
    scale: float = 1.0
    rounds: int = 5
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def api_cpu(self) -> float:
        """CPU seconds of the API server so far."""
        return cpu_seconds(psutil.Process(self.cluster.part(API).pid))

    def scaled(self, number: int) -> int:
        return max(10, round(number * self.scale))

    def namespace(self, name: str) -> str:
        """A fresh namespace."""
        fresh = f"{name}-{next(self._numbers)}"
        self.cluster.kubectl("create", "namespace", fresh)
        return fresh

    @contextmanager
    def ours(self, namespace: str, *, lease: str = "", wait: bool = True) -> Generator[Subject]:
        """`lmos operator` as it is by default; with the name of a `lease`, one of several that share it."""
        port = free_port()
        command = [LMOS, "operator", "--namespaces", namespace, "--kubeconfig", str(self.cluster.kubeconfig())]
        command += ["--port", "0", "--metrics-port", str(port), "--lease-name", lease or f"lease-{next(self._numbers)}"]
        url = f"http://127.0.0.1:{port}"
        with self._running("lmos", command, f"{url}/readyz" if wait else "") as subject:
            subject.metrics_url = f"{url}/metrics"
            yield subject

    @contextmanager
    def kopf(self, namespace: str, *options: str) -> Generator[Subject]:
        """The peer."""
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.operator.peer", namespace, *options]
        command += ["--kubeconfig", str(self.cluster.kubeconfig()), "--port", str(port)]
        with self._running("kopf", command, f"http://127.0.0.1:{port}/healthz") as subject:
            yield subject

    @contextmanager
    def _running(self, name: str, command: Sequence[str], ready_url: str) -> Generator[Subject]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LMOS_")}
        environment |= {"LMOS_LOG_LEVEL": "error"}
        log = f"{name}-{next(self._numbers)}"
        with ChildProcess(command, folder=self.folder, name=log, environment=environment, cwd=REPOSITORY) as child:
            if ready_url:
                child.answering(ready_url)
            yield Subject(child, psutil.Process(child.pid))


@asynccontextmanager
async def on_a_new_cluster(**options: Any) -> AsyncGenerator[Bench]:
    """A `Bench` with `options` on a control plane of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="lmos-bench-") as folder,
        Cluster(parts=API_SERVER, crds=definitions()) as cluster,
    ):
        async with Customer(cluster.kubeconfig()) as customer:
            yield Bench(cluster, customer, Path(folder), **options)
