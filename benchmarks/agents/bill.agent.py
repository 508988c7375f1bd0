"""The agent under measurement: one tool, answered by the offline model."""

from lmos import Agent, Capability


def latest_bill() -> str:
    """The latest bill of the customer."""
    return "Your bill for October 2026 is 39.95 EUR."


agent = Agent(
    name="bill",
    description="Answers questions about bills",
    capabilities=[
        Capability(
            "view-bill",
            description="Shows a bill",
            examples=["How much is my bill?", "Show my latest bill", "What do I have to pay?", "My last invoice"],
        )
    ],
    prompt="You answer questions about bills.",
    tools=[latest_bill],
    channels=["web"],
)
