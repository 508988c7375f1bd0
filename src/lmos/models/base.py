"""The `Model` port: one question to a language model, answered as a stream.

The agents' engine and the router's LLM classifier use it. It knows nothing of agents, tools' code or conversations.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = [
    "MalformedAnswer",
    "Model",
    "ModelDelta",
    "ModelError",
    "ModelEvent",
    "ModelMessage",
    "ModelToolCall",
    "ModelToolReturn",
    "ModelUsage",
    "ToolSpec",
]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the model may call; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelToolCall:
    """The model wants a tool called."""

    id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class ModelToolReturn:
    """What a called tool returned, for the model to read."""

    id: str
    name: str
    content: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ModelMessage:
    """One message to or from the model; `tool_calls` with role assistant, `tool_returns` with role tool."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[ModelToolCall, ...] = ()
    tool_returns: tuple[ModelToolReturn, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelDelta:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """Tokens of the whole answer; last event. Zero where the model does not count."""

    input_tokens: int = 0
    output_tokens: int = 0


ModelEvent = ModelDelta | ModelToolCall | ModelUsage


class ModelError(Exception):
    """The model failed. `retryable` says whether asking again may help; the message names provider and cause."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class MalformedAnswer(ModelError):
    """The answer does not fit the schema that was asked for. `text` is what came, for those who can read it anyway."""

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message, retryable=True)
        self.text = text


class Model(Protocol):
    """A language model."""

    @property
    def name(self) -> str:
        """What the setting that chose it says, for logs and spans."""
        ...

    def answer(
        self,
        messages: Sequence[ModelMessage],
        *,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),
    ) -> AsyncIterator[ModelEvent]:
        """Stream an answer: text deltas or tool calls, then one `ModelUsage`. With `schema`, the text is fitting JSON.

        Raises `ModelError`, `MalformedAnswer` where the text does not fit `schema`; closing the iterator cancels the
        request.
        """
        ...
