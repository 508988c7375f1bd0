"""Technical support of the telco: outages and tickets. Served as a process of its own: `lmos agent run`."""

from database import connect, customer
from lmos import Agent, Capability, Turn, tool


@tool(examples=["Is there an outage?", "My internet does not work", "Ist das Netz gestört?"])
def check_outage(turn: Turn) -> str:
    """Whether the network is disturbed in the customer's city, and until when."""
    with connect() as db:
        city = customer(db, turn)["city"]
        query = "SELECT * FROM outages WHERE tenant = ? AND city = ?"
        found = db.execute(query, (turn.tenant, city)).fetchall()
    if not found:
        return f"There is no known outage in {city}. Shall I open a ticket?"
    return " ".join(f"The {row['service']} in {city} is disturbed until {row['ends_at']}." for row in found)


@tool(examples=["Please open a ticket", "I want to report a problem", "Send a technician"])
def open_ticket(turn: Turn) -> str:
    """Report a problem: opens a ticket in the customer's own words."""
    with connect() as db:
        customer(db, turn)
        query = "INSERT INTO tickets (tenant, customer, subject) VALUES (?, ?, ?)"
        number = db.execute(query, (turn.tenant, turn.user_id, turn.query)).lastrowid
    return f"I have opened ticket {number} for you."


@tool(examples=["What is the status of ticket 1002?", "Has somebody looked at my ticket 1005?"])
def ticket_status(number: int, turn: Turn) -> str:
    """How far a ticket is.

    Args:
        number: The number of the ticket.
    """
    with connect() as db:
        query = "SELECT * FROM tickets WHERE id = ? AND tenant = ? AND customer = ?"
        ticket = db.execute(query, (number, turn.tenant, turn.user_id)).fetchone()
    if ticket is None:
        return f"I cannot find a ticket {number} of yours."
    return f"Ticket {number} ({ticket['subject']}) is {ticket['status']}."


agent = Agent(
    name="support",
    description="Technical support: outages, faults, tickets",
    version="1.0.0",
    capabilities=[
        Capability(
            "check-outage",
            "1.0.0",
            "Tells whether the network is disturbed",
            examples=[
                "Is there an outage in my city?",
                "My internet does not work",
                "I have no signal since this morning",
                "The connection keeps dropping",
                "Why is my internet so slow?",
                "Mein Internet geht nicht",
            ],
        ),
        Capability(
            "ticket",
            "1.0.0",
            "Opens a ticket and tells how far it is",
            examples=[
                "What is the status of ticket 1002?",
                "Please open a ticket",
                "I want to report a fault",
                "Send me a technician",
                "Has anybody looked at my ticket yet?",
                "Bitte ein Ticket eröffnen",
            ],
        ),
    ],
    prompt="You help customers whose phone or internet does not work. Check for outages before you open a ticket.",
    tools=[check_outage, open_ticket, ticket_status],
    tenants=["acme", "globex"],
    channels=["app"],
)
