"""The objects that are worked on: agents of about 1 KB, and channels that require two capabilities of one agent each.

JSON as people apply it. Every tenth channel shares its agent with nine others, unless one agent is to serve them all.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = [
    "AGENTS",
    "CHANNELS",
    "CHANNELS_PER_AGENT",
    "ROUTINGS",
    "Object",
    "agent",
    "agent_name",
    "agents_for",
    "channel",
    "channel_name",
    "described",
    "settled",
]

AGENTS: Final = "agents"
CHANNELS: Final = "channels"
ROUTINGS: Final = "channelroutings"

CHANNELS_PER_AGENT: Final = 10

Object = dict[str, Any]


def agent_name(number: int) -> str:
    return f"agent-{number:05d}"


def channel_name(number: int) -> str:
    return f"channel-{number:05d}"


def agent(number: int, namespace: str, *, patch: int = 0) -> Object:
    """Provides four capabilities in version `1.<k>.<patch>`."""
    capabilities = [
        {
            "name": f"capability-{number}-{k}",
            "version": f"1.{k}.{patch}",
            "description": "Tells a customer what he wants to know of it; " * 2,
        }
        for k in range(4)
    ]
    return {
        "apiVersion": "lmos.eclipse/v1",
        "kind": "Agent",
        "metadata": {"name": agent_name(number), "namespace": namespace, "labels": {"subset": "stable"}},
        "spec": {
            "description": f"Agent {number} of the benchmark. " + "It knows all about one topic. " * 5,
            "supportedTenants": ["acme"],
            "supportedChannels": ["web", "ivr"],
            "providedCapabilities": capabilities,
        },
    }


def channel(number: int, namespace: str, *, of_agent: int | None = None, touched: str = "") -> Object:
    """Requires two capabilities of one agent. `touched` goes where a change alters neither routing nor resolution."""
    provider = number // CHANNELS_PER_AGENT if of_agent is None else of_agent
    required = [{"id": touched, "name": f"capability-{provider}-{k}", "version": "^1.0.0"} for k in range(2)]
    return {
        "apiVersion": "lmos.eclipse/v1",
        "kind": "Channel",
        "metadata": {
            "name": channel_name(number),
            "namespace": namespace,
            "labels": {"tenant": "acme", "channel": "web", "version": "1.0.0", "subset": "stable"},
        },
        "spec": {"requiredCapabilities": required},
    }


def agents_for(channels: int, namespace: str) -> list[Object]:
    """As many agents as that many channels need."""
    return [agent(number, namespace) for number in range(-(-channels // CHANNELS_PER_AGENT))]


def settled(channel: Object) -> bool:
    """Whether the status of a Channel is about its present spec, and says that all is provided."""
    status = channel.get("status", {})
    return described(channel) and status.get("resolveStatus") == "RESOLVED"


def described(thing: Object) -> bool:
    """Whether the status of an object is about its present spec."""
    return thing.get("status", {}).get("observedGeneration") == thing["metadata"]["generation"]
