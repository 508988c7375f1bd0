"""The chart `deploy/helm/lmos` as tests use it: helm called on it, and what it renders."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

__all__ = ["CHART", "NAMESPACE", "RELEASE", "Helm", "HelmFailed", "Manifest", "Manifests", "pod_specs"]

CHART: Final = Path(__file__).parents[2] / "deploy/helm/lmos"
RELEASE: Final = "lmos"
NAMESPACE: Final = "lmos"

Manifest = dict[str, Any]


class HelmFailed(Exception):
    """helm ended with another code than 0. The message is what it was called with and what it said."""


@dataclass(frozen=True)
class Manifests:
    """What the chart renders, as one text and as objects."""

    text: str

    def __iter__(self) -> Iterator[Manifest]:
        yield from (document for document in yaml.safe_load_all(self.text) if document)

    def of(self, *kinds: str) -> list[Manifest]:
        return [document for document in self if document["kind"] in kinds]

    def one(self, kind: str, name: str) -> Manifest:
        """Raises `LookupError` unless there is exactly one."""
        found = [document for document in self.of(kind) if document["metadata"]["name"] == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} of {kind} {name}")
        return found[0]


@dataclass(frozen=True)
class Helm:
    """helm with folders of its own, so that nobody's repositories, caches and plugins matter."""

    program: Path
    folder: Path

    def __call__(self, *words: str, kubeconfig: Path | None = None, seconds: float = 60.0) -> str:
        """What helm prints. Raises `HelmFailed`, `subprocess.TimeoutExpired`."""
        homes = {f"HELM_{kind}_HOME": str(self.folder / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        environment = os.environ | homes | {"KUBECONFIG": str(kubeconfig or self.folder / "none")}
        done = subprocess.run(
            [str(self.program), *words], check=False, capture_output=True, env=environment, text=True, timeout=seconds
        )
        if done.returncode != 0:
            raise HelmFailed(f"helm {' '.join(words)}\n{done.stdout}{done.stderr}".rstrip())
        return done.stdout

    def render(self, values: Mapping[str, Any] | None = None, *words: str, namespace: str = NAMESPACE) -> Manifests:
        """`helm template` of the chart with `values`, without its CRDs."""
        with_values = self.values(values or {})
        return Manifests(self("template", RELEASE, str(CHART), "--namespace", namespace, *with_values, *words))

    def values(self, values: Mapping[str, Any]) -> list[str]:
        """The options that give `values`."""
        path = self.folder / f"values-{len(list(self.folder.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump(dict(values)))
        return ["--values", str(path)]


def pod_specs(manifests: Manifests) -> Iterator[tuple[str, Manifest]]:
    """Name and spec of each pod template."""
    for document in manifests.of("Deployment", "StatefulSet", "DaemonSet", "Job"):
        yield document["metadata"]["name"], document["spec"]["template"]["spec"]
