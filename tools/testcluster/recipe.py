"""What the test cluster is made of: which modules, at which versions and with which flags, and the key of the result.

`build.py` follows it, `binaries.py` finds what was built by it. It knows nothing of building or running.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "CONTROL_PLANE",
    "KUBERNETES",
    "MODULES",
    "PROGRAMS",
    "ROLLOUTS",
    "ROOT",
    "STAGES",
    "Data",
    "Module",
    "Program",
    "cache_folder",
]

ROOT: Final = Path(__file__).parent
KUBERNETES: Final = "1.37.2"
"""As in go.mod. Given to the linker too, since a build outside of the Kubernetes tree does not know its version."""

CONTROL_PLANE: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
"""The names by which the one binary `controlplane` is called."""

_MAJOR, _MINOR, _ = KUBERNETES.split(".")


@dataclass(frozen=True)
class Program:
    """A Go program: `package`, built in `folder`, whose go.sum has the checksums of all that it is made of."""

    name: str
    folder: str
    package: str
    variables: Mapping[str, str]
    """What the linker sets: name of a Go variable to its value."""


@dataclass(frozen=True)
class Data:
    """Files of a Go module that are used as they are."""

    file: str
    """Name in the cache."""
    paths: tuple[str, ...]
    """YAML files of the module that it is put together from."""


@dataclass(frozen=True)
class Module:
    """A Go module that is data here: not compiled, so in no go.sum; its checksum stands beside it."""

    path: str
    version: str
    sum: str
    data: Data


PROGRAMS: Final = (
    Program(
        "controlplane",
        ".",
        ".",
        {
            "k8s.io/component-base/version.gitVersion": f"v{KUBERNETES}",
            "k8s.io/component-base/version.gitMajor": _MAJOR,
            "k8s.io/component-base/version.gitMinor": _MINOR,
        },
    ),
    Program("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", {}),
    Program(
        "helm",
        "helm",
        "helm.sh/helm/v3/cmd/helm",
        {
            "helm.sh/helm/v3/internal/version.version": "v3.22.0",
            # What `helm template` and `helm lint` take for the version of a cluster that they do not ask.
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": _MAJOR,
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": _MINOR,
            "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": _MAJOR,
            "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": _MINOR,
        },
    ),
)

STAGES: Final = "stages.yaml"
"""How kwok's nodes and pods come to life: at once."""
ROLLOUTS: Final = "rollouts.yaml"
"""The CustomResourceDefinition of Argo Rollouts."""

MODULES: Final = (
    Module(
        "sigs.k8s.io/kwok",
        "v0.8.0",
        "h1:OTIOTwgROqPMovcTwxICx2eYQ4AwLpSx5EpjbDKF4SQ=",
        Data(
            STAGES,
            (
                "kustomize/stage/node/fast/node-initialize.yaml",
                "kustomize/stage/node/heartbeat/node-heartbeat.yaml",
                "kustomize/stage/pod/fast/pod-ready.yaml",
                "kustomize/stage/pod/fast/pod-complete.yaml",
                "kustomize/stage/pod/fast/pod-delete.yaml",
            ),
        ),
    ),
    Module(
        "github.com/argoproj/argo-rollouts",
        "v1.10.1",  # 1.10.2 asks for a newer Go than the rest
        "h1:6oyVPGiHHxu3ixkT6mngemh88HLPDoTX1IwO6KNR1Y4=",
        Data(ROLLOUTS, ("manifests/crds/rollout-crd.yaml",)),
    ),
)


def cache_folder(root: Path = ROOT) -> Path:
    """Where the build of exactly this recipe, with the Go files in `root`, is or would be on this kind of machine."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "lmos" / "testcluster" / _key(root)


def _key(root: Path) -> str:
    digest = hashlib.sha256(f"{sys.platform} {platform.machine()} {PROGRAMS!r} {MODULES!r}".encode())
    digest.update((root / "main.go").read_bytes())
    for program in PROGRAMS:
        for name in ("go.mod", "go.sum"):
            digest.update((root / program.folder / name).read_bytes())
    return digest.hexdigest()[:16]
