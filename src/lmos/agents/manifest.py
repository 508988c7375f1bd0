"""What an `Agent` is to the rest of the platform: the `Agent` resource, and the capabilities document. Pure."""

from __future__ import annotations

from pydantic import ValidationError

from lmos.agents.agent import Agent
from lmos.agents.errors import DefinitionError
from lmos.protocols.arc.capabilities import CapabilitiesDocument, DocumentCapability
from lmos.resources.agent import Agent as AgentResource
from lmos.resources.agent import AgentSpec, Endpoint, ProvidedCapability
from lmos.resources.base import ObjectMeta

__all__ = ["to_document", "to_local_resource", "to_resource"]


def to_resource(agent: Agent, *, namespace: str, endpoint: Endpoint) -> AgentResource:
    """The resource that declares `agent`, which answers at `endpoint`. A capability's id is its name.

    Raises `DefinitionError` for what does not fit into a resource, as a description of more than 16384 characters.
    """
    labels = dict(agent.labels)
    if agent.subset is not None:
        labels["subset"] = agent.subset
    try:
        return AgentResource(
            metadata=ObjectMeta(name=agent.name, namespace=namespace, labels=labels),
            spec=AgentSpec(
                id=agent.name,
                description=agent.description,
                supported_tenants=agent.tenants,
                supported_channels=agent.channels,
                provided_capabilities=tuple(
                    ProvidedCapability(
                        id=capability.name,
                        name=capability.name,
                        version=capability.version or agent.version,
                        description=capability.description,
                        examples=capability.examples,
                    )
                    for capability in agent.capabilities
                ),
                endpoint=endpoint,
            ),
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DefinitionError(f"Agent {agent.name!r}: {field}: {first['msg']}") from None


def to_local_resource(agent: Agent, *, namespace: str) -> AgentResource:
    """The resource of an agent that lives in the platform's own process. Raises `DefinitionError`."""
    return to_resource(agent, namespace=namespace, endpoint=Endpoint(protocol="local"))


def to_document(agent: Agent) -> CapabilitiesDocument:
    """`/.well-known/capabilities.json` of `agent`, from which an operator makes its resource."""
    return CapabilitiesDocument(
        id=agent.name,
        description=agent.description,
        supported_tenants=list(agent.tenants),
        supported_channels=list(agent.channels),
        capabilities=[
            DocumentCapability(
                id=capability.name,
                name=capability.name,
                version=capability.version or agent.version,
                description=capability.description,
                examples=list(capability.examples),
            )
            for capability in agent.capabilities
        ],
    )
