"""For users' tests and ours: scripted model, fake agents and model servers, in-memory platform, virtual clock.

Every name below is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmos.testing.api_server import ApiServer
    from lmos.testing.arc_agent import FakeArcAgent
    from lmos.testing.clock import VirtualClock
    from lmos.testing.faults import AgentError, Drop, Garbage, HttpError, Pause, Silence
    from lmos.testing.loopback import serving
    from lmos.testing.models import Asked, Calls, Reply, ScriptedModel
    from lmos.testing.openai_server import FakeOpenAI, Slow
    from lmos.testing.platform import MemoryPlatform, Said
    from lmos.testing.processes import LmosProcess, ProcessFailed

_HOME = {
    "ApiServer": "api_server",
    "AgentError": "faults",
    "Asked": "models",
    "Calls": "models",
    "Drop": "faults",
    "FakeArcAgent": "arc_agent",
    "FakeOpenAI": "openai_server",
    "Garbage": "faults",
    "HttpError": "faults",
    "LmosProcess": "processes",
    "MemoryPlatform": "platform",
    "Pause": "faults",
    "ProcessFailed": "processes",
    "Reply": "models",
    "Said": "platform",
    "ScriptedModel": "models",
    "Silence": "faults",
    "Slow": "openai_server",
    "VirtualClock": "clock",
    "serving": "loopback",
}

__all__ = [
    "AgentError",
    "ApiServer",
    "Asked",
    "Calls",
    "Drop",
    "FakeArcAgent",
    "FakeOpenAI",
    "Garbage",
    "HttpError",
    "LmosProcess",
    "MemoryPlatform",
    "Pause",
    "ProcessFailed",
    "Reply",
    "Said",
    "ScriptedModel",
    "Silence",
    "Slow",
    "VirtualClock",
    "serving",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lmos.testing' has no attribute {name!r}")
    value = getattr(import_module(f"lmos.testing.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
