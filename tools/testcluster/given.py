"""A cluster that somebody else runs and gives to be tested on: `KUBECONFIG` with `LMOS_TEST_CLUSTER=1`.

`KUBECONFIG` alone is not taken: it may well be a cluster that people depend on.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from tools.testcluster.access import Access
from tools.testcluster.binaries import Binaries, NoBinaries
from tools.testcluster.credentials import ADMIN

__all__ = ["GivenCluster"]

# The roles of a cluster of ours, each as the ServiceAccount that it stands for.
_ACCOUNTS: Final = {
    "operator": ("lmos", "lmos-operator"),
    "runtime": ("lmos", "lmos-runtime"),
    "nobody": ("lmos", "lmos-test-nobody"),
}


class GivenCluster(Access):
    """The cluster of a kubeconfig, whose user must be an administrator. Nothing in it is broken on purpose."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        if not kubeconfig.is_file():
            raise FileNotFoundError(f"KUBECONFIG={kubeconfig}: no such file; it must be one file")
        self.folder = folder
        self._files = {ADMIN: kubeconfig.absolute()}

    @property
    def kubectl_program(self) -> Path:
        """Ours where it is there, since it is of a known version; else that of the PATH."""
        try:
            return Binaries.found().program("kubectl")
        except NoBinaries:
            found = shutil.which("kubectl")
            if found is None:
                raise
            return Path(found)

    def kubeconfig(self, role: str = ADMIN) -> Path:
        if role not in self._files:
            if role not in _ACCOUNTS:
                raise KeyError(f"no role {role!r} in a given cluster, it has {', '.join((ADMIN, *_ACCOUNTS))}")
            self._files[role] = self.service_account(*_ACCOUNTS[role])
        return self._files[role]
