"""Which tool a text reaches with the static encoder: the cases that the thresholds were set by."""

from __future__ import annotations

import pytest

from lmos.encoders.registry import encoder_named
from lmos.models.base import ToolSpec
from lmos.models.offline.choosing import FIT, know, meaning

pytestmark = pytest.mark.anyio


def spec(name: str, description: str, examples: tuple[str, ...] = (), **parameters: str) -> ToolSpec:
    properties = {key: {"type": "string", "description": text} for key, text in parameters.items()}
    return ToolSpec(name, description, {"type": "object", "properties": properties}, examples)


TOOLS = [
    spec(
        "get_bill",
        "The bill of a month: amount, due date and whether it is paid.",
        ("Why is my latest invoice so high?", "Wie hoch ist meine Rechnung?"),
    ),
    spec("previous_bill", "The bill before the one shown last.", ("And the previous bill?",)),
    spec("list_bills", "All bills of the customer, newest first."),
    spec("change_plan", "Change the customer's plan.", plan="The new plan"),
    spec("cancel_contract", "Cancel a contract at the end of its term.", ("Ich möchte meinen Vertrag kündigen",)),
    spec("open_ticket", "Open a support ticket for a technical problem.", problem="What does not work"),
    spec("ticket_status", "State of a support ticket.", ticket_id="Number of the ticket"),
    spec("check_outage", "Check for known network outages in a city.", city="The city"),
]


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("How much is my bill?", "get_bill"),
        ("why was my invoice so high in september", "get_bill"),
        ("The latest bill, please", "get_bill"),
        ("Wie hoch ist meine Rechnung im März?", "get_bill"),
        ("show me the previous bill", "previous_bill"),
        ("show me all my bills", "list_bills"),
        ("I want to switch to the large plan", "change_plan"),
        ("I want to cancel", "cancel_contract"),
        ("terminate my contract", "cancel_contract"),
        ("Ich will meinen Vertrag kündigen", "cancel_contract"),
        ("My router does not work", "open_ticket"),
        ("What is the status of ticket T-1002?", "ticket_status"),
        ("is there an outage in Bonn?", "check_outage"),
        ("Was kostet meine Rechnung im März?", "get_bill"),
        ("Wie wird das Wetter am Montag?", None),
        ("Ich möchte eine Pizza bestellen", None),
        ("Guten Tag, wie geht es Ihnen?", None),
        ("hello", None),
        ("thanks", None),
        ("what is the weather in Berlin tomorrow", None),
        ("tell me a joke", None),
        ("who won the world cup", None),
        ("Can you recommend a good pizza recipe?", None),
    ],
)
async def test_a_text_reaches_its_tool_or_none(text: str, tool: str | None) -> None:
    encoder = encoder_named("static")
    tools = await know(TOOLS, encoder)
    scores = tools.scores(text, (await encoder.encode([meaning(text)]))[0])
    best = max(range(len(scores)), key=scores.__getitem__)
    assert (TOOLS[best].name if scores[best] > FIT else None) == tool
