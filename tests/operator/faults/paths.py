"""Where the resources that schedules work with live in the Kubernetes API."""

from __future__ import annotations

from typing import Final

__all__ = ["PATHS"]

PATHS: Final = {
    "agents": "/apis/lmos.eclipse/v1",
    "channels": "/apis/lmos.eclipse/v1",
    "channelroutings": "/apis/lmos.eclipse/v1",
    "deployments": "/apis/apps/v1",
    "services": "/api/v1",
}
"""The group and version of each plural."""
