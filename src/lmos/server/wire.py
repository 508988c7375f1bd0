"""Bodies of the runtime's REST API, as the LMOS runtime reads and writes them (unknown members are ignored)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from lmos.conversation.messages import AnonymizationEntity, KeyValue, Message, User, WireModel
from lmos.conversation.turn import TurnRequest

__all__ = [
    "AgentInfo",
    "AgentsInfo",
    "AssistantMessage",
    "CapabilityInfo",
    "Conversation",
    "ErrorBody",
    "Identifier",
    "NotFoundBody",
    "RoutedAgentInfo",
]

Identifier = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""Ids and names that callers choose: 1 to 256 characters, none of them a control character."""


class InputContext(WireModel):
    """The transcript, newest message last: the whole of it, or only the new message."""

    messages: tuple[Message, ...] = Field(min_length=1, max_length=2000)
    explicit_agent: Identifier | None = None
    anonymization_entities: tuple[AnonymizationEntity, ...] | None = None

    @model_validator(mode="after")
    def _ends_with_user(self) -> InputContext:
        if self.messages[-1].role != "user":
            raise ValueError("the last message must have role 'user': it is what the agent answers")
        return self


class SystemContext(WireModel):
    """The channel that the turn comes through, and what else agents should know."""

    channel_id: Identifier
    context_params: tuple[KeyValue, ...] = ()


class UserContext(WireModel):
    """Who speaks."""

    user_id: Identifier
    user_token: str | None = None
    context_params: tuple[KeyValue, ...] = ()


class Conversation(WireModel):
    """Body of `POST /apis/v1/{tenantId}/chat/{conversationId}/message`."""

    input_context: InputContext
    system_context: SystemContext
    user_context: UserContext

    def to_turn(self, tenant: str, conversation_id: str, turn_id: str, subset: str | None) -> TurnRequest:
        """The turn that this body asks for."""
        return TurnRequest(
            tenant=tenant,
            channel=self.system_context.channel_id,
            subset=subset,
            conversation_id=conversation_id,
            turn_id=turn_id,
            user=User(
                id=self.user_context.user_id,
                token=self.user_context.user_token,
                profile=self.user_context.context_params,
            ),
            messages=self.input_context.messages,
            params=self.system_context.context_params,
            explicit_agent=self.input_context.explicit_agent,
            anonymization_entities=self.input_context.anonymization_entities or (),
        )


class AssistantMessage(WireModel):
    """Answer of a turn."""

    content: str
    anonymization_entities: tuple[AnonymizationEntity, ...] = ()


class ErrorBody(WireModel):
    """A failed request; `error_code` is stable."""

    error_code: str
    message: str


class NotFoundBody(WireModel):
    """404 of the channel queries, as the LMOS runtime writes it."""

    error: str


class CapabilityInfo(WireModel):
    """A capability of an agent of a channel."""

    id: str
    name: str
    version: str
    description: str


class RoutedCapabilityInfo(CapabilityInfo):
    """A capability with the subset that it is routed in."""

    subset: str | None = None


class AgentInfo(WireModel):
    """An agent of a channel; `version` is the channel's version label, as in the LMOS runtime."""

    id: str
    name: str
    version: str
    description: str
    capabilities: tuple[CapabilityInfo, ...]


class AgentsInfo(WireModel):
    """Answer of `GET /apis/v1/agents`."""

    subset: str | None
    agents: tuple[AgentInfo, ...]


class Address(WireModel):
    """Where an agent answers."""

    protocol: str
    uri: str


class RoutedAgentInfo(WireModel):
    """Element of the answer of `GET /apis/v1/agents/{tenantId}/{channelId}`."""

    id: str
    name: str
    version: str
    description: str
    capabilities: tuple[RoutedCapabilityInfo, ...]
    addresses: tuple[Address, ...]
