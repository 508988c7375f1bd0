"""The resolver and `lmos plan`'s core at 1,000 and 10,000 capabilities: growth should be linear."""

from __future__ import annotations

import time

from benchmarks.record import Session
from lmos.operator.resolver import resolve
from lmos.resources.agent import Agent, AgentSpec, ProvidedCapability
from lmos.resources.base import ObjectMeta
from lmos.resources.channel import Channel, ChannelSpec, RequiredCapability

_PER_AGENT = 10


def _world(capabilities: int) -> tuple[Channel, list[Agent]]:
    """One channel that requires all `capabilities`, and the agents that provide ten each in one version."""
    agents = [
        Agent(
            metadata=ObjectMeta(name=f"agent-{start}"),
            spec=AgentSpec(
                supported_channels=("web",),
                provided_capabilities=tuple(
                    ProvidedCapability(name=f"capability-{n}", version=f"1.{n % 7}.0")
                    for n in range(start, start + _PER_AGENT)
                ),
            ),
        )
        for start in range(0, capabilities, _PER_AGENT)
    ]
    # A channel may require a thousand at most, so the model is not asked to validate a larger one.
    required = tuple(RequiredCapability(name=f"capability-{n}", version="^1.0.0") for n in range(capabilities))
    labels = {"tenant": "acme", "channel": "web", "version": "1.0.0", "subset": "stable"}
    spec = ChannelSpec.model_construct(required_capabilities=required)
    return Channel.model_construct(metadata=ObjectMeta(name="acme-web", labels=labels), spec=spec), agents


def _seconds(capabilities: int) -> float:
    channel, agents = _world(capabilities)
    begin = time.perf_counter()
    resolution = resolve(channel, agents)
    taken = time.perf_counter() - begin
    assert len(resolution.wires) == capabilities
    return taken


def main(rounds: int = 7) -> Session:
    session = Session("resolving")
    _seconds(100)
    small = [_seconds(1_000) for _ in range(rounds)]
    large = [_seconds(10_000) for _ in range(rounds)]
    session.add("resolve 1,000 capabilities of 100 agents", "ms", [run * 1e3 for run in small])
    session.add("resolve 10,000 capabilities of 1,000 agents", "ms", [run * 1e3 for run in large])
    growth = [big / little for big, little in zip(large, small, strict=True)]
    session.add("10,000 over 1,000", "ratio", growth, goal="linear (10)")
    return session
