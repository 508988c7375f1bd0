"""LMOS: declare agents, channels and rollouts; route every query to the agent that can answer it.

Importing `lmos` is cheap and quiet: every name below is loaded on first use. An agent author needs no other module.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmos.agents.agent import Agent
    from lmos.agents.capability import Capability
    from lmos.agents.tools import Tool, tool
    from lmos.agents.turn import Turn

__version__ = "0.1.0"

_HOME = {
    "Agent": "lmos.agents.agent",
    "Capability": "lmos.agents.capability",
    "Tool": "lmos.agents.tools",
    "Turn": "lmos.agents.turn",
    "tool": "lmos.agents.tools",
}

__all__ = ["Agent", "Capability", "Tool", "Turn", "__version__", "tool"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lmos' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
