"""`ProviderModel`: a model behind an HTTP API, through pydantic-ai: by provider and name, or by OpenAI-compatible URL.

`registry` builds them. Retries are ours to decide, above: a provider's client is told to make none.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import urlsplit

from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models import Model as NativeModel
from pydantic_ai.models import ModelRequestParameters, infer_model, parse_model_id
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.providers import Provider, infer_provider_class
from pydantic_ai.settings import ModelSettings

from lmos.models.base import (
    MalformedAnswer,
    ModelDelta,
    ModelError,
    ModelEvent,
    ModelMessage,
    ModelToolCall,
    ModelUsage,
    ToolSpec,
)
from lmos.models.conversion import definition, model_error, text_of, to_native

__all__ = ["ProviderModel", "provider_model", "url_model"]

TIMEOUT: Final = 55.0
"""Seconds that one request to a provider may take; less than a turn's default deadline, so that its error is told."""

# pydantic-ai extras that are extras of lmos too.
_EXTRAS: Final = {
    "openai": "openai",
    "openai-chat": "openai",
    "openai-responses": "openai",
    "ollama": "openai",
    "openrouter": "openai",
    "deepseek": "openai",
    "anthropic": "anthropic",
}


class ProviderModel:
    """A `Model` that asks a provider. `native` is pydantic-ai's model, for the engine to use without conversion."""

    def __init__(
        self,
        name: str,
        native: NativeModel[Any],
        *,
        timeout: float = TIMEOUT,
        close: Callable[[], Any] | None = None,
    ) -> None:
        self._name = name
        self._close = close
        self.native = native
        self.settings = ModelSettings(timeout=timeout, max_retries=0)

    @property
    def name(self) -> str:
        return self._name

    async def answer(
        self,
        messages: Sequence[ModelMessage],
        *,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[ToolSpec] = (),
    ) -> AsyncIterator[ModelEvent]:
        """See `Model.answer`. With `schema` the answer comes as one delta, after it was checked to be JSON."""
        parameters = _parameters(self.native, schema, tools)
        try:
            async with model_request_stream(
                self.native, to_native(messages), model_settings=self.settings, model_request_parameters=parameters
            ) as stream:
                pieces: list[str] = []
                async for text in text_of(aiter(stream)):
                    pieces.append(text)
                    if schema is None:
                        yield ModelDelta(text)
                response = stream.get()
        except (AgentRunError, UserError, ValueError) as error:
            raise model_error(self._name, error) from error
        calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
        if not pieces and not calls:
            raise ModelError(f"model {self._name!r} sent an answer without text or tool calls", retryable=True)
        if schema is not None:
            yield ModelDelta(_fitting("".join(pieces), schema, self._name))
        for part in calls:
            yield ModelToolCall(part.tool_call_id, part.tool_name, _arguments(part, self._name))
        yield ModelUsage(response.usage.input_tokens, response.usage.output_tokens)

    async def aclose(self) -> None:
        """Close the connections that this model keeps."""
        if self._close is not None:
            await self._close()


def _parameters(
    native: NativeModel[Any], schema: Mapping[str, Any] | None, tools: Sequence[ToolSpec]
) -> ModelRequestParameters:
    definitions = [definition(tool) for tool in tools]
    if schema is None:
        return ModelRequestParameters(function_tools=definitions)
    return ModelRequestParameters(
        function_tools=definitions,
        output_mode="native" if native.profile.get("supports_json_schema_output") else "prompted",
        output_object=OutputObjectDefinition(json_schema=dict(schema), name=str(schema.get("title") or "answer")),
    )


def _arguments(part: ToolCallPart, name: str) -> dict[str, Any]:
    try:
        return part.args_as_dict(raise_if_invalid=True)
    except (ValueError, AssertionError) as error:
        raise ModelError(
            f"model {name!r} called tool {part.tool_name!r} with arguments that are no JSON object: {error}",
            retryable=True,
        ) from error


def _fitting(text: str, schema: Mapping[str, Any], name: str) -> str:
    """`text` when it is JSON with the schema's required members, without the fence some models put around it."""
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        value: object = json.loads(bare)
    except ValueError:
        raise MalformedAnswer(f"model {name!r} did not answer with JSON: {text[:200]!r}", text) from None
    if schema.get("type") == "object":
        members = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        missing = [member for member in schema.get("required", ()) if member not in members]
        if missing or not isinstance(value, dict):
            raise MalformedAnswer(f"model {name!r} left out {missing} in its JSON answer: {bare[:200]!r}", text)
    return bare


def provider_model(name: str, *, api_key: str | None = None, timeout: float = TIMEOUT) -> ProviderModel:
    """The model with pydantic-ai's `provider:model` name. Raises `ModelError`; keys come from the provider's own
    environment variable unless `api_key` is given.
    """
    provider_name, model_name = parse_model_id(name)
    if not provider_name or not model_name:
        raise ModelError(
            f"model {name!r} is unknown; write 'offline', 'provider:model' such as 'openai:gpt-5-mini', or a URL "
            "with the model after '#', such as 'http://localhost:11434/v1#llama3.2'"
        )
    try:
        native = infer_model(name) if api_key is None else infer_model(name, _with_key(api_key))
    except ImportError as error:
        raise ModelError(f"model {name!r} needs a package that is not installed: {_install(provider_name)}") from error
    except (UserError, ValueError, TypeError) as error:
        raise ModelError(f"model {name!r} cannot be used: {error}") from error
    return ProviderModel(name, native, timeout=timeout)


def _with_key(api_key: str) -> Callable[[str], Provider[Any]]:
    def build(provider_name: str) -> Provider[Any]:
        return cast("Callable[..., Provider[Any]]", infer_provider_class(provider_name))(api_key=api_key)

    return build


def _install(provider_name: str) -> str:
    extra = _EXTRAS.get(provider_name)
    return f"pip install 'lmos[{extra}]'" if extra else f"pip install 'pydantic-ai-slim[{provider_name}]'"


def url_model(url: str, *, api_key: str | None = None, timeout: float = TIMEOUT) -> ProviderModel:
    """The model `name` of the OpenAI-compatible server at `base`, given as `base#name`. Raises `ModelError`."""
    base, _, model_name = url.partition("#")
    if not urlsplit(base).hostname:
        raise ModelError(f"model {url!r} names no host; write e.g. 'http://localhost:11434/v1#llama3.2'")
    if not model_name:
        raise ModelError(f"model {url!r} names no model; add it after '#', e.g. {base + '#llama3.2'!r}")
    try:
        from openai import AsyncOpenAI
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider
    except ImportError as error:
        raise ModelError(f"model {url!r} needs a package that is not installed: {_install('openai')}") from error
    # A key is sent in any case: the client refuses to be built without, and local servers ignore it.
    client = AsyncOpenAI(base_url=base, api_key=api_key or "none", max_retries=0, timeout=timeout)
    native = OpenAIChatModel(model_name, provider=OpenAIProvider(openai_client=client))
    return ProviderModel(url, native, timeout=timeout, close=client.close)
