"""ARC's wire types, and their translation to and from what the platform asks (`AgentRequest`).

`client` and `server` use it. It knows JSON objects and conversation types; nothing of sockets or GraphQL text.
Input is read leniently (unknown members, nulls for lists); output carries every member, nulls and empty lists included,
as ARC's own client writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

from pydantic import BeforeValidator, Field, ValidationError

from lmos.conversation.errors import InvalidRequest
from lmos.conversation.exchange import AgentRequest
from lmos.conversation.messages import AnonymizationEntity, BinaryData, KeyValue, Message, User, WireModel

__all__ = [
    "CHANNEL_KEY",
    "ENABLE_EVENTING",
    "TENANT_KEY",
    "AgentRequestInput",
    "AgentResult",
    "ConversationContext",
    "MessageInput",
    "ResultMessage",
    "ToolCallEntry",
    "UserContext",
    "from_wire",
    "to_wire",
]

TENANT_KEY: Final = "tenantId"
CHANNEL_KEY: Final = "channelId"
ENABLE_EVENTING: Final = "enableEventing"

EVENT: Final = "EVENT"
ERROR: Final = "ERROR"
INTERMEDIATE_MESSAGE: Final = "INTERMEDIATE_MESSAGE"
MESSAGE: Final = "MESSAGE"


def _empty_for_null(value: object) -> object:
    return [] if value is None else value


_Entities = Annotated[list[AnonymizationEntity], BeforeValidator(_empty_for_null)]
_Entries = Annotated[list[KeyValue], BeforeValidator(_empty_for_null)]


class MessageInput(WireModel):
    """A message of the transcript; `role` is any text here, `from_wire` judges it."""

    role: str
    content: str
    format: str | None = "text"
    turn_id: str | None = None
    binary_data: list[BinaryData] | None = None


class ConversationContext(WireModel):
    conversation_id: str
    turn_id: str | None = None
    anonymization_entities: _Entities = Field(default_factory=list[AnonymizationEntity])


class UserContext(WireModel):
    user_id: str | None = None
    user_token: str | None = None
    profile: _Entries = Field(default_factory=list[KeyValue])


class AgentRequestInput(WireModel):
    """The `request` variable of the `agent` subscription."""

    messages: list[MessageInput]
    conversation_context: ConversationContext
    system_context: _Entries = Field(default_factory=list[KeyValue])
    user_context: UserContext


class ResultMessage(WireModel):
    """A message of a result. Selections may leave `format` and `role` out."""

    content: str
    format: str | None = "text"
    role: str | None = "assistant"
    turn_id: str | None = None
    binary_data: list[BinaryData] | None = None


class ToolCallEntry(WireModel):
    """A tool that the agent called; `arguments` is JSON text."""

    name: str
    arguments: str


class AgentResult(WireModel):
    """One result of the `agent` subscription. `response_time` is in seconds since the agent was asked.

    `status` is the agent's classification; ARC writes the text `null` when there is none. Agents up to ARC 0.126.0 send
    no `type`.
    """

    status: str | None = None
    response_time: float = 0.0
    messages: Annotated[list[ResultMessage], BeforeValidator(_empty_for_null)] = Field(
        default_factory=list[ResultMessage]
    )
    anonymization_entities: list[AnonymizationEntity] | None = None
    context: list[KeyValue] | None = None
    tool_calls: list[ToolCallEntry] | None = None
    type: str | None = None

    def to_wire(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True)


def to_wire(request: AgentRequest, agent_name: str | None = None) -> dict[str, Any]:
    """Variables of the `agent` subscription: `{"request": {...}, "agentName": ...}`, no default left out.

    The system context is `request.params`, then `tenantId` and `channelId` where known and not already named there.
    """
    entries = [*request.params]
    named = {entry.key for entry in entries}
    for key, value in ((TENANT_KEY, request.tenant), (CHANNEL_KEY, request.channel)):
        if value is not None and key not in named:
            entries.append(KeyValue(key=key, value=value))
    body = AgentRequestInput(
        messages=[_message_to_wire(message) for message in request.messages],
        conversation_context=ConversationContext(
            conversation_id=request.conversation_id,
            turn_id=request.turn_id,
            anonymization_entities=list(request.anonymization_entities),
        ),
        system_context=entries,
        user_context=UserContext(
            user_id=request.user.id or None, user_token=request.user.token, profile=list(request.user.profile)
        ),
    )
    return {"request": body.model_dump(by_alias=True), "agentName": agent_name}


def from_wire(body: Mapping[str, Any], *, subset: str | None = None) -> AgentRequest:
    """The request that the `request` variable stands for; an unknown user has the empty id.

    As in ARC, the turn is named by the conversation context, else by the last message, else by the number of messages.
    Raises `InvalidRequest` naming field and value.
    """
    try:
        wire = AgentRequestInput.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"request.{where}: {first['msg']}, got {first['input']!r:.80}") from None
    context = wire.conversation_context
    last_turn = wire.messages[-1].turn_id if wire.messages else None
    named = {entry.key: entry.value for entry in wire.system_context}
    return AgentRequest(
        conversation_id=context.conversation_id,
        messages=tuple(_message_from_wire(index, message) for index, message in enumerate(wire.messages)),
        user=User(
            id=wire.user_context.user_id or "",
            token=wire.user_context.user_token,
            profile=tuple(wire.user_context.profile),
        ),
        turn_id=context.turn_id or last_turn or str(len(wire.messages)),
        tenant=named.get(TENANT_KEY),
        channel=named.get(CHANNEL_KEY),
        subset=subset,
        params=tuple(wire.system_context),
        anonymization_entities=tuple(context.anonymization_entities),
    )


def _message_to_wire(message: Message) -> MessageInput:
    return MessageInput(
        role=message.role,
        content=message.content,
        format=message.format,
        turn_id=message.turn_id,
        binary_data=None if message.binary_data is None else list(message.binary_data),
    )


def _message_from_wire(index: int, message: MessageInput) -> Message:
    if message.role not in ("user", "assistant"):
        raise InvalidRequest(
            f"request.messages.{index}.role is {message.role!r:.80}; ARC agents accept 'user' and 'assistant'"
        )
    return Message(
        role=cast("Any", message.role),
        content=message.content,
        format=message.format or "text",
        turn_id=message.turn_id,
        binary_data=None if message.binary_data is None else tuple(message.binary_data),
    )
