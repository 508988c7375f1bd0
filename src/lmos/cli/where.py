"""Where objects live, as the options and the environment say: in a data folder, or in a Kubernetes cluster.

Commands that read or write objects share these options. A kubeconfig that merely lies around (`KUBECONFIG`) chooses no
cluster: whoever tries something on a laptop must not meet production.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from lmos.cli.errors import CommandError
from lmos.cli.options import DEFAULT_DATA

if TYPE_CHECKING:
    from lmos.cli.workspace import Workspace

__all__ = ["HERE", "Where"]

_DATA: Final = "LMOS_DATA"
_CONTEXT: Final = "LMOS_CONTEXT"
_KUBECONFIG: Final = "LMOS_KUBECONFIG"


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Where:
    """The options of a command line. What is written there goes before the environment."""

    data: Annotated[
        Path | None,
        Parameter(
            name="--data",
            help=f"Data folder of the platform; need not be running. [default: {DEFAULT_DATA}] [env var: {_DATA}]",
        ),
    ] = None
    cluster: Annotated[
        bool,
        Parameter(
            name="--cluster",
            negative="",
            show_default=False,
            help="Work on a Kubernetes cluster instead of the data folder: that of the kubeconfig's current context.",
        ),
    ] = False
    context: Annotated[
        str | None, Parameter(name="--context", help=f"Work on the cluster of this context. [env var: {_CONTEXT}]")
    ] = None
    kubeconfig: Annotated[
        str | None,
        Parameter(
            name="--kubeconfig",
            help=f"Work on the cluster of this kubeconfig; with the others, `KUBECONFIG` or `~/.kube/config`. "
            f"[env var: {_KUBECONFIG}]",
        ),
    ] = None

    def workspace(self, environ: Mapping[str, str] = os.environ) -> Workspace:
        """The place that is meant. Raises `CommandError` where two are named."""
        asked = [
            option
            for option, given in (
                ("--cluster", self.cluster),
                ("--context", self.context),
                ("--kubeconfig", self.kubeconfig),
            )
            if given
        ]
        if self.data is not None and asked:
            raise CommandError(f"--data and {asked[0]} exclude each other", "leave out one of them")
        set_ = [name for name in (_CONTEXT, _KUBECONFIG) if environ.get(name)]
        if self.data is None and not asked and set_ and environ.get(_DATA):
            raise CommandError(
                f"the environment names both a data folder ({_DATA}) and a cluster ({set_[0]})",
                "write --data or --cluster, or unset one of them",
            )
        if asked or (self.data is None and set_):
            from lmos.cli.cluster import Cluster

            kubeconfig, context = self.kubeconfig or environ.get(_KUBECONFIG), self.context or environ.get(_CONTEXT)
            return Cluster(kubeconfig=kubeconfig or None, context=context or None)
        from lmos.cli.folder import Folder

        return Folder(self.data or Path(environ.get(_DATA) or DEFAULT_DATA))


HERE: Final = Where()
"""No option given."""
