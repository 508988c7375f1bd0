"""Where the programs of a cluster are: envtest's folder if one is named, else what `make testcluster` has built.

`KUBEBUILDER_ASSETS` names a folder with `etcd`, `kube-apiserver` and `kubectl`, as envtest's own. What else a cluster
needs is taken from there too, if it is there. kwok and helm, which are of no Kubernetes version, come from the cache
where the folder has none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tools.testcluster.recipe import cache_folder

__all__ = ["HOW_TO_GET", "BadAssets", "Binaries", "NoBinaries"]

_ASSETS: Final = "KUBEBUILDER_ASSETS"
_NEEDED: Final = ("etcd", "kube-apiserver", "kubectl")
_ANY_VERSION: Final = ("kwok", "helm")
HOW_TO_GET: Final = (
    "run `make testcluster` (needs Go; takes 10 to 20 minutes, once), or set KUBEBUILDER_ASSETS to a folder with etcd, "
    "kube-apiserver and kubectl, or KUBECONFIG and LMOS_TEST_CLUSTER=1 for a cluster that is there to be tested on"
)


class NoBinaries(Exception):
    """A program is nowhere. The message says how to get it."""


class BadAssets(ValueError):
    """`KUBEBUILDER_ASSETS` names a folder without the programs that it must have: a slip of whoever set it."""


@dataclass(frozen=True)
class Binaries:
    """Folders with programs, looked through in order."""

    folders: tuple[Path, ...]
    data: Path
    """The folder of the cache, with kwok's stages and foreign CRDs; it may not be there."""

    @classmethod
    def found(cls) -> Self:
        """Those of `KUBEBUILDER_ASSETS`, else those of the cache. Raises `BadAssets`, `NoBinaries`."""
        cache = cache_folder()
        named = os.environ.get(_ASSETS)
        if named:
            folder = Path(named).absolute()
            missing = [name for name in _NEEDED if not (folder / name).is_file()]
            if missing:
                raise BadAssets(f"{_ASSETS}={named}: no {', '.join(missing)} there; correct or unset it")
            return cls((folder, cache / "bin"), cache)
        if not cache.is_dir():
            raise NoBinaries(f"no control plane to start: {HOW_TO_GET}")
        return cls((cache / "bin",), cache)

    def has(self, name: str) -> bool:
        return self._find(name) is not None

    def lacking(self, names: Iterable[str]) -> list[str]:
        """Which of these programs and data files are not there."""
        return [name for name in names if not (self.has(name) or (self.data / name).is_file())]

    def program(self, name: str) -> Path:
        """The path of a program. Raises `NoBinaries`."""
        found = self._find(name)
        if found is None:
            raise NoBinaries(f"no {name} in {self.folders[0]}: {HOW_TO_GET}")
        return found

    def file(self, name: str) -> Path:
        """A data file of the cache, by its name in the recipe. Raises `NoBinaries`."""
        path = self.data / name
        if not path.is_file():
            raise NoBinaries(f"{name} comes from a Go module and is not in the cache: run `make testcluster`")
        return path

    def _find(self, name: str) -> Path | None:
        # Never a scheduler of one Kubernetes version with the API server of another.
        folders = self.folders if name in _ANY_VERSION else self.folders[:1]
        return next((folder / name for folder in folders if (folder / name).is_file()), None)
