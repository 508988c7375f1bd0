"""Billing of the telco: shows bills and takes objections to them."""

from database import connect, customer, day, euros, month_name
from lmos import Agent, Capability, Turn, tool
from lmos.agents.errors import ToolError


@tool(
    examples=[
        "How much is my bill?",
        "How much was my bill in March?",
        "And in May?",
        "Why is my latest bill so high?",
        "When is my bill due?",
        "Wie hoch ist meine Rechnung?",
    ]
)
def show_bill(turn: Turn, month: int | None = None) -> str:
    """Show a bill: its amount, its items and whether it is paid.

    Args:
        month: The month of the bill, 1 to 12. The newest bill when left out.
    """
    found = _newest(turn, month=month)
    return _show(turn, found) if found else "There is no such bill."


@tool(examples=["And the one before?", "What about the previous bill?", "Und die davor?"])
def bill_before(turn: Turn) -> str:
    """Show the bill before the one that was shown last in this conversation."""
    shown = _shown(turn)
    found = _newest(turn, before=shown)
    return _show(turn, found) if found else f"There is no bill before {month_name(shown)}."


@tool(examples=["I want to dispute this bill", "My bill is wrong", "I was charged too much, I object"])
def dispute_bill(turn: Turn, month: int | None = None) -> str:
    """Object to a bill: it need not be paid until it has been checked.

    Args:
        month: The month of the bill, 1 to 12. The bill that was shown last when left out.
    """
    disputed = _newest(turn, month=month) if month else _shown(turn)
    if disputed is None:
        return "There is no such bill."
    with connect() as db:
        db.execute(
            "UPDATE bills SET status = 'disputed', objection = ? WHERE (tenant, customer, month) = (?, ?, ?)",
            (turn.query, turn.tenant, turn.user_id, disputed),
        )
    return f"I have noted your objection to the bill for {month_name(disputed)}. You need not pay it until we answer."


def _newest(turn: Turn, *, before: str = "9999", month: int | None = None) -> str | None:
    """Month (`2026-03`) of the customer's newest bill: earlier than `before`, of calendar month `month`."""
    wanted = f"%-{month:02d}" if month else "%"
    with connect() as db:
        customer(db, turn)
        query = "SELECT max(month) FROM bills WHERE tenant = ? AND customer = ? AND month < ? AND month LIKE ?"
        (found,) = db.execute(query, (turn.tenant, turn.user_id, before, wanted)).fetchone()
    return found


def _shown(turn: Turn) -> str:
    """Month of the bill that this conversation spoke of last; the newest one when it spoke of none."""
    with connect() as db:
        query = "SELECT month FROM shown_bills WHERE tenant = ? AND conversation = ?"
        row = db.execute(query, (turn.tenant, turn.conversation_id)).fetchone()
    month = row["month"] if row else _newest(turn)
    if month is None:
        raise ToolError("There is no bill yet.")
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
    tools=[show_bill, bill_before, dispute_bill],
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
    tools=[show_bill, bill_before, dispute_bill],
    tenants=["globex"],
    channels=["web"],
    subset="canary",
)
