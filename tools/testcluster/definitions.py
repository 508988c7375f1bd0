"""The CustomResourceDefinitions that a cluster for LMOS has: our own, and Argo's where it was built in."""

from __future__ import annotations

from pathlib import Path

from lmos.resources.crds import crds_yaml
from tools.testcluster.recipe import ROLLOUTS, cache_folder

__all__ = ["definitions"]


def definitions(data: Path | None = None) -> list[str]:
    """What to give to `Cluster(crds=...)`. `data` is the folder with Argo's, else the cache."""
    rollouts = (data or cache_folder()) / ROLLOUTS
    return [crds_yaml(), *([rollouts.read_text()] if rollouts.is_file() else [])]
