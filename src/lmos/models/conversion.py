"""Between this room's types and pydantic-ai's, both ways. Imported with the first model that needs pydantic-ai."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, Literal

from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRequestRejectedError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.messages import (
    ModelMessage as NativeMessage,
)
from pydantic_ai.messages import (
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.tools import ToolDefinition

from lmos.models.base import ModelError, ModelMessage, ModelToolCall, ModelToolReturn, ToolSpec

__all__ = ["EXAMPLES", "definition", "from_native", "model_error", "spec", "text_of", "to_native"]

# Key of `ToolDefinition.metadata` that carries a tool's examples to the offline model; providers are not sent it.
EXAMPLES: Final = "lmos.examples"

_RETRYABLE_STATUS: Final = frozenset({408, 409, 425, 429})


def definition(tool: ToolSpec) -> ToolDefinition:
    return ToolDefinition(
        name=tool.name,
        description=tool.description,
        parameters_json_schema=dict(tool.parameters),
        metadata={EXAMPLES: tool.examples},
    )


def spec(tool: ToolDefinition) -> ToolSpec:
    examples = (tool.metadata or {}).get(EXAMPLES, ())
    return ToolSpec(tool.name, tool.description or "", tool.parameters_json_schema, tuple(examples))


def to_native(messages: Sequence[ModelMessage]) -> list[NativeMessage]:
    """Messages for pydantic-ai. A tool's return is marked failed when it is an error."""
    return [
        ModelResponse(parts=_response_parts(message))
        if message.role == "assistant"
        else ModelRequest(parts=_request_parts(message))
        for message in messages
    ]


def _response_parts(message: ModelMessage) -> list[ModelResponsePart]:
    parts: list[ModelResponsePart] = [TextPart(message.content)] if message.content else []
    parts += [ToolCallPart(call.name, dict(call.arguments), call.id) for call in message.tool_calls]
    return parts


def _request_parts(message: ModelMessage) -> list[ModelRequestPart]:
    if message.role == "tool":
        return [
            ToolReturnPart(
                tool_name=returned.name,
                content=returned.content,
                tool_call_id=returned.id,
                outcome="failed" if returned.is_error else "success",
            )
            for returned in message.tool_returns
        ]
    return [SystemPromptPart(message.content) if message.role == "system" else UserPromptPart(message.content)]


def from_native(messages: Sequence[NativeMessage], instructions: str | None) -> list[ModelMessage]:
    """Messages of this room, after `instructions` as system message. Parts that are not text or tools are left out."""
    found = [ModelMessage("system", instructions)] if instructions else []
    for message in messages:
        if isinstance(message, ModelResponse):
            calls = tuple(
                ModelToolCall(part.tool_call_id, part.tool_name, part.args_as_dict())
                for part in message.parts
                if isinstance(part, ToolCallPart)
            )
            text = "".join(part.content for part in message.parts if isinstance(part, TextPart))
            found.append(ModelMessage("assistant", text, tool_calls=calls))
        else:
            found += _from_request(message)
    return found


def _from_request(request: ModelRequest) -> list[ModelMessage]:
    found: list[ModelMessage] = []
    returns = tuple(
        ModelToolReturn(
            part.tool_call_id,
            part.tool_name,
            part.model_response_str(wrap_if_error=False),
            is_error=part.outcome != "success",
        )
        for part in request.parts
        if isinstance(part, ToolReturnPart)
    )
    if returns:
        found.append(ModelMessage("tool", tool_returns=returns))
    for part in request.parts:
        if isinstance(part, SystemPromptPart | UserPromptPart):
            role: Literal["system", "user"] = "system" if isinstance(part, SystemPromptPart) else "user"
            content = part.content if isinstance(part.content, str) else _text_items(part.content)
            found.append(ModelMessage(role, content))
    return found


def _text_items(items: Sequence[object]) -> str:
    return "\n".join(item for item in items if isinstance(item, str))


async def text_of(events: AsyncIterator[ModelResponseStreamEvent]) -> AsyncIterator[str]:
    """The pieces of text in a response's event stream."""
    async for event in events:
        if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart) and event.part.content:
            yield event.part.content
        elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta) and event.delta.content_delta:
            yield event.delta.content_delta


def model_error(name: str, error: Exception) -> ModelError:
    """What went wrong with the model named `name`, as this room says it; `retryable` by the kind of failure."""
    if isinstance(error, ModelError):
        return error
    if isinstance(error, ModelHTTPError):
        retryable = error.status_code in _RETRYABLE_STATUS or error.status_code >= 500
        return ModelError(f"model {name!r} answered HTTP {error.status_code}: {_body(error)}", retryable=retryable)
    if isinstance(error, ModelConnectionError):
        return ModelError(f"model {name!r} cannot be reached: {error.message}", retryable=True)
    if isinstance(error, ModelAPIError):
        refused = isinstance(error, ModelRequestRejectedError | ModelQuotaExceededError)
        return ModelError(f"model {name!r} failed: {error.message}", retryable=not refused)
    if isinstance(error, UnexpectedModelBehavior):
        return ModelError(f"model {name!r} sent an answer that cannot be read: {error.message}", retryable=True)
    if isinstance(error, UserError | AgentRunError):
        return ModelError(f"model {name!r} cannot be used as configured: {error}")
    return ModelError(f"model {name!r} sent an answer that cannot be read: {type(error).__name__}: {error}"[:500])


def _body(error: ModelHTTPError) -> str:
    body = error.body
    if isinstance(body, dict):
        message: object = body.get("message")  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]
        if isinstance(message, str):
            return message[:300]
    return str(body or "no body")[:300]  # pyright: ignore[reportUnknownArgumentType]
