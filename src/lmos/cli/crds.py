"""`lmos crds`: the CustomResourceDefinitions for `kubectl apply -f -`."""

from __future__ import annotations

import sys

__all__ = ["crds"]


def crds() -> None:
    """Print the Kubernetes CustomResourceDefinitions of all kinds.

    Install them with `lmos crds | kubectl apply -f -`.
    """
    from lmos.resources.crds import crds_yaml

    sys.stdout.write(crds_yaml())
