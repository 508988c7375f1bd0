"""Billing of the telco: shows bills and takes objections to them."""

from typing import Literal, get_args

from database import connect, customer, day, euros, month_name
from lmos import Agent, Capability, Turn, tool

Month = Literal[
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
]  # fmt: skip


@tool(examples=["How much was my bill in March?", "Show me the invoice for May", "What did I pay in January?"])
def bill_of_month(month: Month, turn: Turn) -> str:
    """The bill of one month: its amount, its items and whether it is paid.

    Args:
        month: The month of the bill.
    """
    number = get_args(Month).index(month) + 1
    with connect() as db:
        customer(db, turn)
        query = "SELECT max(month) FROM bills WHERE tenant = ? AND customer = ? AND month LIKE ?"
        (found,) = db.execute(query, (turn.tenant, turn.user_id, f"%-{number:02d}")).fetchone()
    return _show(turn, found) if found else f"There is no bill for {month}."


@tool(examples=["How much is my bill?", "Why is my latest bill so high?", "Wie hoch ist meine Rechnung?"])
def latest_bill(turn: Turn) -> str:
    """The newest bill of the customer: its amount, its items and whether it is paid."""
    month = _newest(turn)
    return _show(turn, month) if month else "You have no bills yet."


@tool(examples=["And the one before?", "What about the previous month?", "Und die davor?"])
def bill_before(turn: Turn) -> str:
    """The bill before the one that was shown last in this conversation."""
    shown = _shown(turn)
    month = _newest(turn, shown)
    return _show(turn, month) if month else f"There is no bill before {month_name(shown)}."


@tool(examples=["I want to dispute this bill", "My bill is wrong", "I was charged too much, I object"])
def dispute_bill(turn: Turn) -> str:
    """Object to the bill that was shown last: it need not be paid until it has been checked."""
    month = _shown(turn)
    with connect() as db:
        db.execute(
            "UPDATE bills SET status = 'disputed', objection = ? WHERE (tenant, customer, month) = (?, ?, ?)",
            (turn.query, turn.tenant, turn.user_id, month),
        )
    return f"I have noted your objection to the bill for {month_name(month)}. You need not pay it until we answer."


def _newest(turn: Turn, before: str = "9999") -> str | None:
    """Month of the customer's newest bill earlier than the month `before`."""
    with connect() as db:
        customer(db, turn)
        query = "SELECT max(month) FROM bills WHERE tenant = ? AND customer = ? AND month < ?"
        (month,) = db.execute(query, (turn.tenant, turn.user_id, before)).fetchone()
    return month


def _shown(turn: Turn) -> str:
    """Month of the bill that this conversation spoke of last; the newest one when it spoke of none."""
    with connect() as db:
        query = "SELECT month FROM shown_bills WHERE tenant = ? AND conversation = ?"
        row = db.execute(query, (turn.tenant, turn.conversation_id)).fetchone()
    month = row["month"] if row else _newest(turn)
    if month is None:
        raise LookupError("You have no bills yet.")
    return month


def _show(turn: Turn, month: str) -> str:
    key = (turn.tenant, turn.user_id, month)
    with connect() as db:
        bill = db.execute("SELECT * FROM bills WHERE (tenant, customer, month) = (?, ?, ?)", key).fetchone()
        items = db.execute(
            "SELECT * FROM bill_items WHERE (tenant, customer, month) = (?, ?, ?) ORDER BY cents DESC", key
        ).fetchall()
        db.execute("REPLACE INTO shown_bills VALUES (?, ?, ?)", (turn.tenant, turn.conversation_id, month))
    total = euros(sum(item["cents"] for item in items))
    listed = ", ".join(f"{item['description']} {euros(item['cents'])}" for item in items)
    state = f"{bill['status']}, due {day(bill['due_on'])}"
    return f"Your bill for {month_name(month)} is {total} ({listed}); it is {state}."


VIEW = [
    "How much is my bill?",
    "Show me the invoice for March",
    "Why is my bill so high this month?",
    "What did I have to pay in January?",
    "When is my bill due?",
    "How much did the roaming cost?",
    "Wie hoch ist meine Rechnung?",
    "Warum ist meine Rechnung so hoch?",
]
DISPUTE = [
    "I want to dispute this bill",
    "My bill is wrong",
    "I was charged twice for the same item",
    "I object to this charge",
    "I did not make these calls, I will not pay for them",
    "Ich widerspreche der Rechnung",
]
PROMPT = "You answer questions about the customer's bills. Use the tools; never invent an amount."

agent = Agent(
    name="billing",
    description="Bills and payments: amounts, items, earlier bills, objections",
    version="1.2.0",
    capabilities=[
        Capability("view-bill", "1.2.0", "Shows a bill: amount, items, payment", VIEW),
        Capability("dispute-bill", "1.0.0", "Takes an objection to a bill", DISPUTE),
    ],
    prompt=PROMPT,
    tools=[bill_of_month, latest_bill, bill_before, dispute_bill],
    tenants=["acme", "globex"],
    channels=["web", "ivr", "app"],
)

canary = Agent(
    name="billing-canary",
    description="The next version of billing, for the customers of Globex's canary",
    version="2.0.0",
    capabilities=[
        Capability("view-bill", "2.0.0", "Shows a bill: amount, items, payment", VIEW),
        Capability("dispute-bill", "2.0.0", "Takes an objection to a bill", DISPUTE),
    ],
    prompt=f"{PROMPT} After a bill, ask whether anything on it is unclear.",
    tools=[bill_of_month, latest_bill, bill_before, dispute_bill],
    tenants=["globex"],
    channels=["web"],
    subset="canary",
)
