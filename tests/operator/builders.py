"""Resources in one line, for the tests of this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lmos.resources.agent import Agent, AgentSpec, AgentStatus, Endpoint, Offer, ProvidedCapability
from lmos.resources.base import ObjectMeta
from lmos.resources.channel import Channel, ChannelSpec, RequiredCapability, ResolveStrategy

LABELS = {"tenant": "acme", "channel": "web", "version": "1.0.0", "subset": "stable"}


def agent(
    name: str,
    *provided: tuple[str, str],
    tenants: Sequence[str] = (),
    channels: Sequence[str] = ("web",),
    subset: str | None = None,
    namespace: str = "default",
    endpoint: Endpoint | None = None,
) -> Agent:
    """An Agent that provides (name, version) pairs."""
    return Agent(
        metadata=ObjectMeta(name=name, namespace=namespace, labels={} if subset is None else {"subset": subset}),
        spec=AgentSpec(
            id=f"id-{name}",
            description=f"agent {name}",
            supported_tenants=tuple(tenants),
            supported_channels=tuple(channels),
            provided_capabilities=tuple(
                ProvidedCapability(id=f"c-{capability}", name=capability, version=version, examples=("e",))
                for capability, version in provided
            ),
            endpoint=endpoint,
        ),
    )


def discovered(name: str, *provided: tuple[str, str]) -> Agent:
    """An Agent by url whose endpoint said that it provides (name, version) pairs."""
    found = agent(name, *provided)
    offer = Offer.model_validate(found.spec.model_dump(exclude={"endpoint", "discover"}))
    spec = AgentSpec(endpoint=Endpoint(url="http://agent.example:8080"), discover=True)
    return found.model_copy(update={"spec": spec, "status": AgentStatus(discovered=offer)})


def channel(
    *required: tuple[str, str],
    name: str = "acme-web",
    namespace: str = "default",
    labels: Mapping[str, str] = LABELS,
    strategy: ResolveStrategy = ResolveStrategy.HIGHEST,
) -> Channel:
    """A Channel that requires (name, range) pairs."""
    return Channel(
        metadata=ObjectMeta(name=name, namespace=namespace, labels=dict(labels)),
        spec=ChannelSpec(
            required_capabilities=tuple(
                RequiredCapability(name=capability, version=version, strategy=strategy)
                for capability, version in required
            )
        ),
    )
