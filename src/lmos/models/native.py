"""`native`: any model of this room as pydantic-ai's, for `agents/engine.py`.

A provider's model is handed over as it is, without conversion; any other (offline, scripted, a user's own) is wrapped.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage as NativeMessage
from pydantic_ai.messages import ModelResponse, ModelResponseStreamEvent
from pydantic_ai.models import Model as NativeModel
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from lmos.models.base import Model, ModelDelta, ModelEvent, ModelToolCall, ModelUsage
from lmos.models.conversion import from_native, spec
from lmos.models.providers import ProviderModel

__all__ = ["Native", "native"]


class Native(NamedTuple):
    """pydantic-ai's model, and the settings (timeouts, retries) to ask it with."""

    model: NativeModel
    settings: ModelSettings | None


def native(model: Model) -> Native:
    """`model` for pydantic-ai. Keep the result: building a wrapper per request costs more than the request."""
    if isinstance(model, ProviderModel):
        return Native(model.native, model.settings)
    return Native(_PortModel(model), None)


class _PortModel(NativeModel[Any]):
    """A `Model` of this room behind pydantic-ai's interface. `ModelError` passes through unchanged."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model

    @property
    def model_name(self) -> str:
        return self._model.name

    @property
    def system(self) -> str:
        return "lmos"

    async def request(
        self,
        messages: list[NativeMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        async with self.request_stream(messages, model_settings, model_request_parameters) as stream:
            async for _ in stream:
                pass
            return stream.get()

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[NativeMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        instructions = "\n\n".join(part.content for part in parameters.instruction_parts or ()) or None
        answer = self._model.answer(
            from_native(messages, instructions),
            tools=[spec(tool) for tool in parameters.function_tools],
        )
        yield _PortResponse(parameters, _answer=answer, _name=self._model.name)


@dataclass
class _PortResponse(StreamedResponse):
    _answer: AsyncIterator[ModelEvent]
    _name: str
    _at: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        async with _closing(self._answer) as answer:
            async for event in answer:
                if isinstance(event, ModelDelta):
                    for native_event in self._parts_manager.handle_text_delta(
                        vendor_part_id="text", content=event.text
                    ):
                        yield native_event
                elif isinstance(event, ModelToolCall):
                    yield self._parts_manager.handle_tool_call_part(
                        vendor_part_id=event.id,
                        tool_name=event.name,
                        args=json.dumps(dict(event.arguments)),
                        tool_call_id=event.id,
                    )
                else:
                    self._usage = _usage(event)

    async def close_stream(self) -> None:
        close = getattr(self._answer, "aclose", None)
        if close is not None:
            await close()

    @property
    def model_name(self) -> str:
        return self._name

    @property
    def provider_name(self) -> str:
        return "lmos"

    @property
    def provider_url(self) -> None:
        return None

    @property
    def timestamp(self) -> datetime:
        return self._at


def _usage(event: ModelUsage) -> RequestUsage:
    return RequestUsage(input_tokens=event.input_tokens, output_tokens=event.output_tokens)


@asynccontextmanager
async def _closing(answer: AsyncIterator[ModelEvent]) -> AsyncGenerator[AsyncIterator[ModelEvent]]:
    """Close `answer` at the end where it can be closed: generators must be, plain iterators need not."""
    if isinstance(answer, AsyncGenerator):
        async with aclosing(cast("AsyncGenerator[ModelEvent]", answer)):
            yield answer
    else:
        yield answer
