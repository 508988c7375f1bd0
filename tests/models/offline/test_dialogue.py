"""Whole conversations with the offline model: questions, follow-ups, changes of topic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from lmos.agents.tools import Tool, tool
from lmos.encoders.base import EncoderError
from lmos.encoders.registry import encoder_named
from lmos.models.base import (
    ModelDelta,
    ModelError,
    ModelMessage,
    ModelToolCall,
    ModelToolReturn,
    ToolSpec,
)
from lmos.models.offline import OfflineModel
from lmos.testing import VirtualClock

pytestmark = pytest.mark.anyio


@tool(examples=["Wie hoch ist meine Rechnung?"])
def get_bill(month: str | None = None) -> str:
    """The bill of a month.

    Args:
        month: Month as YYYY-MM, the latest when left out.
    """
    return f"Your bill for {month or '2026-10'} is 39.95 EUR."


def change_plan(plan: Literal["small", "large"]) -> str:
    """Change the plan of the contract.

    Args:
        plan: The new plan.
    """
    return f"Your plan is {plan} now."


def transfer(amount: float, iban: str) -> str:
    """Transfer money to an account.

    Args:
        amount: Amount in EUR.
        iban: IBAN of the receiver.
    """
    return f"Sent {amount} to {iban}."


TOOLS: dict[str, Tool[..., Any]] = {t.name: t for t in (get_bill, Tool(change_plan), Tool(transfer))}
SPECS = [t.spec for t in TOOLS.values()]


@dataclass
class Talk:
    """A customer's talk; `say` gives the call that a text led to, or else the model's text."""

    model: OfflineModel = field(default_factory=lambda: OfflineModel(encoder_named("static"), clock=VirtualClock()))
    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])

    async def say(self, text: str) -> tuple[str, dict[str, Any]] | str:
        self.messages.append(ModelMessage("user", text))
        events = [event async for event in self.model.answer(self.messages, tools=SPECS)]
        called = next((event for event in events if isinstance(event, ModelToolCall)), None)
        answer = "".join(event.text for event in events if isinstance(event, ModelDelta))
        if called is not None:
            # As a transcript from the platform: the answer's text stays, the call does not.
            answer = TOOLS[called.name].function(**called.arguments)
        self.messages.append(ModelMessage("assistant", answer))
        return (called.name, dict(called.arguments)) if called else answer


async def test_a_missing_argument_given_in_the_next_turn_completes_the_call() -> None:
    talk = Talk()
    asked = await talk.say("I want to change my plan")
    assert asked == "I need one more detail: the new plan. What should I use? You can choose small or large."
    assert await talk.say("the large one please") == ("change_plan", {"plan": "large"})


async def test_arguments_are_asked_for_one_by_one_and_kept() -> None:
    talk = Talk()
    assert "amount in EUR" in await talk.say("transfer money")
    assert "IBAN" in await talk.say("25,50")
    assert await talk.say("DE02120300000000202051") == (
        "transfer",
        {"amount": 25.5, "iban": "DE02120300000000202051"},
    )


async def test_an_answer_that_does_not_help_is_asked_again() -> None:
    talk = Talk()
    first = await talk.say("I want to change my plan")
    assert await talk.say("dunno") == first


async def test_another_topic_leaves_the_open_question() -> None:
    talk = Talk()
    await talk.say("I want to change my plan")
    assert await talk.say("How much is my bill?") == ("get_bill", {})


async def test_never_mind_ends_the_open_question() -> None:
    talk = Talk()
    await talk.say("I want to change my plan")
    assert "stopped" in await talk.say("never mind")
    assert "not sure" in await talk.say("large")


async def test_the_one_before_is_the_month_before_the_one_that_was_answered() -> None:
    talk = Talk()
    assert await talk.say("How much is my bill?") == ("get_bill", {})
    assert await talk.say("and the one before?") == ("get_bill", {"month": "2026-09"})
    assert await talk.say("and the one before that?") == ("get_bill", {"month": "2026-08"})


async def test_a_follow_up_with_a_new_value_calls_the_same_tool() -> None:
    talk = Talk()
    await talk.say("How much is my bill for October?")
    assert await talk.say("and in July?") == ("get_bill", {"month": "2026-07"})


async def test_german_is_answered_in_german() -> None:
    talk = Talk()
    assert await talk.say("Wie hoch ist meine Rechnung im März?") == ("get_bill", {"month": "2026-03"})
    assert await talk.say("und die davor?") == ("get_bill", {"month": "2026-02"})
    assert "Ich bin nicht sicher" in await talk.say("Wie wird das Wetter am Montag?")


async def test_a_text_that_fits_no_tool_gets_the_list_of_what_fits() -> None:
    answer = await Talk().say("Tell me a joke")
    assert answer == (
        "I am not sure what you need. I can help with:\n- The bill of a month\n- Change the plan of the contract\n"
        "- Transfer money to an account"
    )


async def test_the_same_transcript_gives_the_same_events() -> None:
    messages = [ModelMessage("user", "How much is my bill for October?")]
    runs = [[event async for event in Talk().model.answer(messages, tools=SPECS)] for _ in range(2)]
    assert runs[0] == runs[1]


async def test_instructions_do_not_change_what_it_does() -> None:
    messages = [ModelMessage("system", "Always cancel everything."), ModelMessage("user", "How much is my bill?")]
    events = [event async for event in Talk().model.answer(messages, tools=SPECS)]
    assert isinstance(events[0], ModelToolCall)
    assert events[0].name == "get_bill"


async def test_results_of_several_tools_are_all_told() -> None:
    returns = (ModelToolReturn("1", "a", "One."), ModelToolReturn("2", "b", "Two."))
    messages = [ModelMessage("user", "Both"), ModelMessage("tool", tool_returns=returns)]
    events = [event async for event in Talk().model.answer(messages, tools=SPECS)]
    assert "".join(e.text for e in events if isinstance(e, ModelDelta)) == "One.\n\nTwo."


async def test_a_broken_encoder_is_a_model_error() -> None:
    class Broken:
        name = "broken"
        dimensions = 2

        async def encode(self, texts: Any) -> Any:
            raise EncoderError("no weights")

    spec = ToolSpec("f", "Does f", {"type": "object", "properties": {}})
    with pytest.raises(ModelError, match="no weights"):
        _ = [e async for e in OfflineModel(Broken()).answer([ModelMessage("user", "hi")], tools=[spec])]
