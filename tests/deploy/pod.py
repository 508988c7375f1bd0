"""A pod of the chart's as a process here: its container's command and environment, on ports of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmos.testing import LmosProcess
from lmos.testing.processes import answers, free_port
from tests.deploy.chart import Manifests, pod_specs

__all__ = ["Pod"]


class Pod:
    """The container of `deployment`. `settings` take the place of the chart's; the process ends with the context."""

    def __init__(self, manifests: Manifests, deployment: str, folder: Path, settings: Mapping[str, str]) -> None:
        (container,) = dict(pod_specs(manifests))[deployment]["containers"]
        namespace = manifests.one("Deployment", deployment)["metadata"]["namespace"]
        self._metrics_port, self._port = free_port(), free_port()
        here = {"LMOS_HOST": "127.0.0.1", "LMOS_PORT": str(self._port), "LMOS_METRICS_PORT": str(self._metrics_port)}
        environment = {entry["name"]: _value(entry, namespace) for entry in container["env"]}
        environment |= {**here, **settings}
        self.process = LmosProcess(*container["args"], folder=folder, name=deployment, settings=environment)

    def __enter__(self) -> Pod:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        return self.process.out + self.process.err

    def until_ready(self) -> None:
        """As its readiness probe does. Raises `ProcessFailed`."""
        ready = f"http://127.0.0.1:{self._metrics_port}/readyz"
        self.process.until(lambda: answers(ready), f"{ready} answering")


def _value(entry: Mapping[str, Any], namespace: str) -> str:
    source = entry.get("valueFrom")
    if source is None:
        return entry.get("value", "")  # the API server leaves an empty one out
    assert source["fieldRef"]["fieldPath"] == "metadata.namespace", entry
    return namespace
