"""Rosters that the router's tests share: a telco with three agents, as people write them."""

from __future__ import annotations

from lmos.router.base import Roster, RosterAgent, RosterCapability

__all__ = ["ACME", "BILLING", "CONTRACT", "DESCRIBED", "SUPPORT"]

BILLING = RosterAgent(
    "billing",
    "1.0.0",
    "Answers questions about bills, invoices and payments.",
    (
        RosterCapability(
            "view-bill",
            "1.0.0",
            "Shows a customer's bills and what is on them.",
            (
                "how much is my bill",
                "show my last invoice",
                "what do I have to pay this month",
                "why is my bill higher than usual",
                "list my invoices of this year",
                "when is my next bill due",
            ),
        ),
        RosterCapability(
            "pay-bill",
            "1.0.0",
            "Takes payments and changes the bank account.",
            (
                "I want to pay my bill",
                "change my bank details",
                "set up direct debit",
                "has my payment arrived",
                "I paid twice, give me my money back",
            ),
        ),
    ),
)
CONTRACT = RosterAgent(
    "contract",
    "1.0.0",
    "Answers questions about contracts and tariffs, and changes them.",
    (
        RosterCapability(
            "view-contract",
            "1.0.0",
            "Shows the terms of a contract: tariff, start, end.",
            (
                "when does my contract end",
                "which tariff do I have",
                "what is included in my plan",
                "how long is my notice period",
                "show me my contract",
            ),
        ),
        RosterCapability(
            "change-contract",
            "1.0.0",
            "Changes, renews and cancels contracts.",
            (
                "cancel my contract",
                "I want to switch to a bigger plan",
                "renew my contract for another year",
                "book the roaming option",
                "terminate my subscription",
            ),
        ),
    ),
)
SUPPORT = RosterAgent(
    "support",
    "1.0.0",
    "Helps with faults of internet, phone and devices.",
    (
        RosterCapability(
            "report-fault",
            "1.0.0",
            "Diagnoses a line that is slow or down.",
            (
                "my internet is down",
                "the wifi is very slow",
                "I have no signal on my phone",
                "the router keeps blinking red",
                "I cannot make calls",
            ),
        ),
        RosterCapability(
            "tickets",
            "1.0.0",
            "Opens trouble tickets and says how far they are.",
            (
                "open a ticket",
                "what is the status of my ticket",
                "has the technician been scheduled",
                "close my trouble ticket",
                "I want to report a problem",
            ),
        ),
    ),
)
ACME = Roster((BILLING, CONTRACT, SUPPORT))

# The same agents before anybody wrote an example.
DESCRIBED = Roster(
    tuple(
        RosterAgent(
            agent.name,
            agent.version,
            agent.description,
            tuple(RosterCapability(c.name, c.version, c.description) for c in agent.capabilities),
        )
        for agent in ACME.agents
    )
)
