"""Contracts of Acme: term, tariff, change and cancellation."""

from typing import Literal

from database import Row, connect, customer, day, euros
from lmos import Agent, Capability, Turn, tool


def _contract(turn: Turn) -> Row:
    with connect() as db:
        customer(db, turn)
        query = "SELECT * FROM contracts JOIN tariffs ON (tariffs.tenant, name) = (contracts.tenant, tariff)"
        where = " WHERE contracts.tenant = ? AND customer = ?"
        return db.execute(query + where, (turn.tenant, turn.user_id)).fetchone()


@tool(examples=["When does my contract end?", "How long is my contract?", "Wann endet mein Vertrag?"])
def contract_end(turn: Turn) -> str:
    """When the contract began, when it ends and whether it is cancelled."""
    contract = _contract(turn)
    after = "is cancelled then" if contract["cancelled"] else "goes on after that unless you cancel it"
    began, ends = day(contract["started_on"]), day(contract["ends_on"])
    return f"Your contract runs from {began} to {ends} and {after}."


@tool(examples=["Which tariff do I have?", "How much data is included?", "What does my plan cost?"])
def my_tariff(turn: Turn) -> str:
    """The tariff of the contract: its name, monthly price and data volume."""
    contract = _contract(turn)
    price = euros(contract["monthly_cents"])
    return f"You have {contract['tariff']} with {contract['gigabytes']} GB for {price} a month."


@tool(examples=["Switch me to Mobile L", "I want a bigger plan", "Change my tariff to Mobile S"])
def change_tariff(tariff: Literal["Mobile S", "Mobile M", "Mobile L"], turn: Turn) -> str:
    """Change the contract to another tariff.

    Args:
        tariff: The tariff that the customer wants.
    """
    _contract(turn)
    with connect() as db:
        query = "UPDATE contracts SET tariff = ? WHERE tenant = ? AND customer = ?"
        db.execute(query, (tariff, turn.tenant, turn.user_id))
    return f"Done. {my_tariff(turn)}"


@tool(examples=["Cancel my contract", "I want to leave", "Ich möchte meinen Vertrag kündigen"])
def cancel_contract(confirmed: bool, turn: Turn) -> str:
    """Cancel the contract at its end.

    Args:
        confirmed: Your confirmation that the contract shall be cancelled, yes or no.
    """
    ends = day(_contract(turn)["ends_on"])
    if not confirmed:
        return "All right, your contract stays as it is."
    with connect() as db:
        query = "UPDATE contracts SET cancelled = 1 WHERE tenant = ? AND customer = ?"
        db.execute(query, (turn.tenant, turn.user_id))
    return f"Your contract is cancelled and ends on {ends}."


agent = Agent(
    name="contract",
    description="Contracts: term, tariff, change of tariff, cancellation",
    version="2.0.1",
    capabilities=[
        Capability(
            "view-contract",
            "2.0.0",
            "Tells the term and the tariff of a contract",
            examples=[
                "When does my contract end?",
                "How long is the notice period of my contract?",
                "Which tariff do I have?",
                "How much data is included in my plan?",
                "What does my plan cost per month?",
                "Wann läuft mein Vertrag aus?",
            ],
        ),
        Capability(
            "change-contract",
            "2.1.0",
            "Changes the tariff or cancels the contract",
            examples=[
                "Switch me to Mobile L",
                "I need a plan with more data",
                "Upgrade my tariff",
                "I want to cancel my contract",
                "Please terminate my contract",
                "Ich möchte meinen Vertrag kündigen",
            ],
        ),
    ],
    prompt="You answer questions about the customer's contract. Use the tools; confirm before you cancel.",
    tools=[contract_end, my_tariff, change_tariff, cancel_contract],
    tenants=["acme"],
    channels=["web", "ivr", "app"],
)
