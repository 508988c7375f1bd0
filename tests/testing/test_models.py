"""The scripted model."""

from __future__ import annotations

import asyncio

import looptime
import pytest

from lmos.models.base import ModelDelta, ModelError, ModelEvent, ModelMessage, ModelToolCall, ModelToolReturn
from lmos.testing import Calls, Reply, ScriptedModel

pytestmark = pytest.mark.anyio


async def ask(model: ScriptedModel, *messages: ModelMessage) -> list[ModelEvent]:
    return [event async for event in model.answer(messages)]


def user(text: str) -> ModelMessage:
    return ModelMessage("user", text)


async def text(model: ScriptedModel, said: str) -> str:
    return "".join(event.text for event in await ask(model, user(said)) if isinstance(event, ModelDelta))


async def test_answers_are_given_in_order() -> None:
    model = ScriptedModel(["one", "two  spaces\nand lines "])
    assert [await text(model, "a"), await text(model, "b")] == ["one", "two  spaces\nand lines "]
    assert [asked.query for asked in model.asked] == ["a", "b"]


async def test_a_matcher_answers_whatever_fits_it_again_and_again() -> None:
    model = ScriptedModel([Reply("39.95 EUR", when="bill"), "other"])
    assert [await text(model, t) for t in ("My BILL", "x", "the bill")] == ["39.95 EUR", "other", "39.95 EUR"]


async def test_after_a_matched_tool_call_the_script_goes_on() -> None:
    model = ScriptedModel([Reply(Calls(("f", {})), when="bill"), "Done"])
    returned = ModelMessage("tool", tool_returns=(ModelToolReturn("1", "f", "x"),))
    first = await ask(model, user("bill"))
    assert isinstance(first[0], ModelToolCall)
    assert (await ask(model, user("bill"), returned))[0] == ModelDelta("Done")


async def test_a_scripted_error_is_raised() -> None:
    with pytest.raises(ModelError, match="quota"):
        await text(ScriptedModel([ModelError("quota")]), "a")


async def test_a_request_beyond_the_script_shows_what_was_asked() -> None:
    with pytest.raises(ModelError, match="no answer to 'surprise'"):
        await text(ScriptedModel(), "surprise")


def test_a_delay_passes_in_the_event_loops_time() -> None:
    async def main() -> float:
        await text(ScriptedModel([Reply("late", delay=3600)]), "a")
        return asyncio.get_running_loop().time()

    loop = looptime.new_event_loop()
    try:
        assert loop.run_until_complete(main()) == pytest.approx(3600)  # pyright: ignore[reportUnknownMemberType]
    finally:
        loop.close()


async def test_a_stream_closed_early_counts_as_cancelled() -> None:
    model = ScriptedModel(["one two three"])
    stream = model.answer([user("a")])
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined] # pyright: ignore
    assert model.cancelled == 1
