"""Models behind HTTP: what each fault of a provider becomes."""

from __future__ import annotations

from typing import Any

import pytest

from lmos.models.base import ModelDelta, ModelError, ModelMessage, ModelToolCall, ToolSpec
from lmos.models.providers import ProviderModel, url_model
from lmos.models.registry import model_named
from lmos.testing import Calls, FakeOpenAI, Garbage, HttpError, Slow

pytestmark = pytest.mark.anyio

HELLO = [ModelMessage("user", "Hello")]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


async def ask(model: ProviderModel, **options: Any) -> list[Any]:
    try:
        return [event async for event in model.answer(HELLO, **options)]
    finally:
        await model.aclose()


@pytest.mark.parametrize(
    ("answer", "message", "retryable"),
    [
        (HttpError(429, "slow down"), "HTTP 429: slow down", True),
        (HttpError(500, "broken"), "HTTP 500: broken", True),
        (HttpError(503), "HTTP 503", True),
        (HttpError(401, "bad key"), "HTTP 401: bad key", False),
        (HttpError(404, "no such model"), "HTTP 404: no such model", False),
        (Garbage(), "cannot be read", True),
        (Garbage(""), "cannot be read", True),
        (Garbage("data: {no json\n\n"), "JSON", True),
        (Garbage('data: {"id": "x"}\n\ndata: [DONE]\n\n'), "without text or tool calls", True),
        (Slow("late", 5), "timed out", True),
    ],
    ids=["429", "500", "503", "401", "404", "html", "empty", "cut off", "no choices", "timeout"],
)
async def test_a_fault_of_the_provider_is_a_model_error(answer: Any, message: str, retryable: bool) -> None:
    async with FakeOpenAI([answer]) as server:
        with pytest.raises(ModelError, match="(?i)" + message) as raised:
            await ask(url_model(server.model, timeout=0.3))
    assert raised.value.retryable is retryable
    assert server.url in str(raised.value)


async def test_a_provider_is_asked_once_whatever_it_answers() -> None:
    async with FakeOpenAI([HttpError(500), "second"]) as server:
        with pytest.raises(ModelError):
            await ask(url_model(server.model))
        assert len(server.requests) == 1


async def test_a_server_that_is_not_there_may_be_asked_again() -> None:
    async with FakeOpenAI() as server:
        address = server.model
    with pytest.raises(ModelError, match="cannot be reached") as raised:
        await ask(url_model(address))
    assert raised.value.retryable


@pytest.mark.parametrize("answer", ["no json", "[1]", '{"b": 1}'], ids=["text", "list", "missing member"])
async def test_an_answer_that_does_not_fit_the_schema_may_be_asked_again(answer: str) -> None:
    async with FakeOpenAI([answer]) as server:
        with pytest.raises(ModelError) as raised:
            await ask(url_model(server.model), schema=SCHEMA)
    assert raised.value.retryable


async def test_a_fence_around_the_json_is_taken_off() -> None:
    async with FakeOpenAI(['```json\n{"a": 1}\n```']) as server:
        events = await ask(url_model(server.model), schema=SCHEMA)
    assert events[0] == ModelDelta('{"a": 1}')


async def test_the_schema_is_sent_as_response_format() -> None:
    async with FakeOpenAI(['{"a": 1}']) as server:
        await ask(url_model(server.model), schema=SCHEMA)
    assert server.requests[0].body["response_format"]["json_schema"]["schema"]["required"] == ["a"]


async def test_several_tool_calls_in_one_answer_arrive_in_order() -> None:
    tool = ToolSpec("f", "Does f", {"type": "object", "properties": {"n": {"type": "integer"}}})
    async with FakeOpenAI([Calls(("f", {"n": 1}), ("f", {"n": 2}), text="Both:")]) as server:
        events = await ask(url_model(server.model), tools=[tool])
    assert [dict(event.arguments) for event in events if isinstance(event, ModelToolCall)] == [{"n": 1}, {"n": 2}]
    assert events[0] == ModelDelta("Both:")


async def test_the_key_is_sent_as_bearer_token() -> None:
    async with FakeOpenAI(["Hi"]) as server:
        await ask(url_model(server.model, api_key="secret"))
    assert server.requests[0].headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "empty"),
        ("gpt", "'provider:model'"),
        ("nobody:gpt", "Unknown model"),
        ("http://host/v1", "names no model; add it after '#'"),
        ("http://#m", "names no host"),
        ("anthropic:claude-sonnet-4-5", r"pip install 'lmos\[anthropic\]'"),
        ("openai:gpt-5-mini", "OPENAI_API_KEY"),
    ],
)
def test_a_name_that_cannot_be_used_says_how_to_fix_it(
    name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    # As on a machine without the extra, wherever this test runs.
    monkeypatch.setitem(__import__("sys").modules, "anthropic", None)
    with pytest.raises(ModelError, match=message) as raised:
        model_named(name)
    assert not raised.value.retryable


def test_a_provider_and_model_name_with_a_key_gives_a_model() -> None:
    model = model_named("openai:gpt-5-mini", api_key="secret")
    assert model.name == "openai:gpt-5-mini"
