"""The contract of the port `Model`, against every variant: offline, scripted, and a provider on a real socket."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from lmos.models.base import (
    Model,
    ModelDelta,
    ModelError,
    ModelEvent,
    ModelMessage,
    ModelToolCall,
    ModelToolReturn,
    ModelUsage,
    ToolSpec,
)
from lmos.models.providers import ProviderModel
from lmos.models.registry import model_named
from lmos.testing import Calls, FakeOpenAI, ScriptedModel

pytestmark = pytest.mark.anyio

BILL = ToolSpec(
    "get_bill",
    "The bill of a month.",
    {
        "type": "object",
        "properties": {"month": {"type": "string", "description": "Month as YYYY-MM"}},
        "required": ["month"],
    },
    examples=("How much is my bill?",),
)
ASK = [ModelMessage("system", "You help."), ModelMessage("user", "How much is my bill for 2026-10?")]
RETURNED = [
    *ASK,
    ModelMessage("assistant", tool_calls=(ModelToolCall("1", "get_bill", {"month": "2026-10"}),)),
    ModelMessage("tool", tool_returns=(ModelToolReturn("1", "get_bill", "It is 39.95 EUR."),)),
]


@dataclass
class Variant:
    """How a variant is brought to each answer; `schema` says whether it can answer in a schema at all."""

    name: str
    schema: bool = True
    scripts: dict[str, list[str | Calls]] = field(
        default_factory=lambda: {
            "call": [Calls(("get_bill", {"month": "2026-10"}))],
            "text": ["It is 39.95 EUR."],
            "schema": ['{"agent": "billing"}'],
        }
    )

    @asynccontextmanager
    async def model(self, script: str) -> AsyncGenerator[Model]:
        if self.name == "offline":
            yield model_named("offline")
        elif self.name == "scripted":
            yield ScriptedModel(self.scripts[script])
        else:
            async with FakeOpenAI(self.scripts[script]) as server:
                model = model_named(server.model)
                yield model
                assert isinstance(model, ProviderModel)
                await model.aclose()


@pytest.fixture(
    params=[Variant("offline", schema=False), Variant("scripted"), Variant("url")], ids=["offline", "scripted", "url"]
)
def variant(request: pytest.FixtureRequest) -> Variant:
    return request.param


async def collect(model: Model, messages: list[ModelMessage], **options: Any) -> list[ModelEvent]:
    return [event async for event in model.answer(messages, **options)]


async def test_a_fitting_tool_is_called_with_its_arguments(variant: Variant) -> None:
    async with variant.model("call") as model:
        events = await collect(model, ASK, tools=[BILL])
    calls = [event for event in events if isinstance(event, ModelToolCall)]
    assert [(call.name, dict(call.arguments)) for call in calls] == [("get_bill", {"month": "2026-10"})]
    assert calls[0].id


async def test_what_a_tool_returned_becomes_the_answer(variant: Variant) -> None:
    async with variant.model("text") as model:
        events = await collect(model, RETURNED, tools=[BILL])
    assert "".join(event.text for event in events if isinstance(event, ModelDelta)) == "It is 39.95 EUR."


@pytest.mark.parametrize(("script", "messages"), [("call", ASK), ("text", RETURNED)], ids=["call", "text"])
async def test_usage_comes_once_and_last(variant: Variant, script: str, messages: list[ModelMessage]) -> None:
    async with variant.model(script) as model:
        events = await collect(model, messages, tools=[BILL])
    assert [isinstance(event, ModelUsage) for event in events] == [False] * (len(events) - 1) + [True]


async def test_an_answer_in_a_schema_is_fitting_json_or_a_final_error(variant: Variant) -> None:
    schema = {"type": "object", "properties": {"agent": {"type": "string"}}, "required": ["agent"]}
    async with variant.model("schema") as model:
        if variant.schema:
            events = await collect(model, ASK, schema=schema)
            text = "".join(event.text for event in events if isinstance(event, ModelDelta))
            assert json.loads(text) == {"agent": "billing"}
        else:
            with pytest.raises(ModelError, match="schema") as raised:
                await collect(model, ASK, schema=schema)
            assert not raised.value.retryable


async def test_closing_the_stream_early_leaves_the_model_usable(variant: Variant) -> None:
    variant.scripts["text"] = ["First answer.", "It is 39.95 EUR."]
    async with variant.model("text") as model:
        stream: Any = model.answer(RETURNED, tools=[BILL])
        async with aclosing(stream):
            await anext(stream)
        events = await collect(model, RETURNED, tools=[BILL])
    assert isinstance(events[-1], ModelUsage)


async def test_it_has_a_name(variant: Variant) -> None:
    async with variant.model("text") as model:
        assert model.name
