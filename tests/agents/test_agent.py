"""What an author may write in an `Agent`, and what each slip is told."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from lmos import Agent, Capability, tool
from lmos.agents.errors import DefinitionError
from lmos.agents.manifest import to_document, to_resource
from lmos.conversation.exchange import AgentRequest, Answer
from lmos.conversation.messages import Message, User
from lmos.models.registry import model_named
from lmos.resources.agent import Endpoint


def bill(month: str) -> str:
    """The bill of a month."""
    return f"39.95 EUR in {month}"


def other() -> str:
    return ""


def named_bill(month: str) -> str:
    return month


@pytest.mark.anyio
async def test_ten_lines_make_an_agent_that_answers() -> None:
    agent = Agent(
        name="billing",
        description="Answers questions about bills",
        capabilities=[Capability("view-bill", examples=["How much is my bill?"])],
        prompt="You answer questions about bills.",
        tools=[bill],
        channels=["web"],
    )
    said = Message(role="user", content="How much is my bill for 2026-10?")
    request = AgentRequest(conversation_id="c", messages=(said,), user=User(id="u"))
    events = [event async for event in agent.run(request, model=model_named("offline"))]
    assert isinstance(events[-1], Answer)
    assert events[-1].message.content == "39.95 EUR in 2026-10"


SLIPS: dict[str, tuple[dict[str, Any], str]] = {
    "name with capitals": ({"name": "Billing Agent"}, "write e.g. 'billing-agent'"),
    "name too long": ({"name": "a" * 64}, "must be a DNS label"),
    "name that is no text": ({"name": None}, "must be a DNS label"),
    "version": ({"version": "1"}, "Agent 'a': version='1' is incomplete; write all three numbers: '1.0.0'"),
    "version with a leading zero": ({"version": "1.0.0-01"}, "has a number with a leading zero"),
    "version that is no text": ({"version": 1.0}, "version=1.0 is not a text"),
    "channels as text": ({"channels": "web"}, r"channels='web' must be a list; write \['web'\]"),
    "empty tenant": ({"tenants": [""]}, r"tenants\[0\]='' must be a non-empty text"),
    "capability as text": ({"capabilities": ["x"]}, r"capabilities\[0\]='x' is not a Capability"),
    "one capability": ({"capabilities": Capability("x")}, "must be a list"),
    "same capability twice": ({"capabilities": [Capability("x"), Capability("x")]}, "'x' appears twice"),
    "one tool": ({"tools": bill}, "must be a list"),
    "tool that is none": ({"tools": ["bill"]}, "is not callable"),
    "two tools of one name": ({"tools": [bill, tool(name="bill")(other)]}, "two tools are named 'bill'"),
    "prompt": ({"prompt": 7}, "prompt=7 must be a text or a function"),
}


@pytest.mark.parametrize(("fields", "message"), SLIPS.values(), ids=SLIPS.keys())
def test_a_slip_is_told_with_field_value_and_fix(fields: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"name": "a"} | fields
    with pytest.raises(DefinitionError, match=message):
        Agent(**given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": " "}, "name must be a text"),
        ({"name": "x", "version": "latest"}, "version='latest' is not a semantic version"),
        ({"name": "x", "examples": "How?"}, r"write a list, e.g. \['How\?'\]"),
        ({"name": "x", "examples": ["a", ""]}, r"examples\[1\]='' must be a text"),
        ({"name": "x", "examples": ["a"] * 1001}, "keep at most 1000"),
    ],
    ids=["name", "version", "examples as text", "empty example", "too many"],
)
def test_a_slip_in_a_capability_is_told(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        Capability(**arguments)


def test_an_agent_cannot_be_changed() -> None:
    agent: Any = Agent(name="a")
    with pytest.raises(FrozenInstanceError):
        agent.name = "b"


def test_only_keywords_are_taken() -> None:
    make: Any = Agent
    with pytest.raises(TypeError):
        make("billing")


def test_a_capability_lends_its_examples_to_the_tool_of_its_name() -> None:
    agent = Agent(
        name="a",
        tools=[tool(examples=["Own"])(bill), other],
        capabilities=[Capability("Bill", examples=["Lent", "Own"]), Capability("more", examples=["Nobody's"])],
    )
    assert [spec.examples for spec in agent.specs] == [("Own", "Lent"), ()]


def test_an_only_tool_gets_all_examples() -> None:
    capabilities = [Capability("x", examples=["One"]), Capability("y", examples=["Two"])]
    assert Agent(name="a", tools=[bill], capabilities=capabilities).specs[0].examples == ("One", "Two")


DECLARED = Agent(
    name="billing",
    description="Bills",
    version="2.1.0",
    capabilities=[Capability("view-bill", "1.0.0", "Shows a bill", ["How much?"]), Capability("pay")],
    tenants=["acme"],
    channels=["web", "ivr"],
    subset="canary",
    labels={"team": "money"},
)


def test_the_resource_declares_all_that_the_author_wrote() -> None:
    resource = to_resource(DECLARED, namespace="prod", endpoint=Endpoint(protocol="local"))
    assert resource.to_wire() == {
        "apiVersion": "lmos.eclipse/v1",
        "kind": "Agent",
        "metadata": {"name": "billing", "namespace": "prod", "labels": {"team": "money", "subset": "canary"}},
        "spec": {
            "id": "billing",
            "description": "Bills",
            "supportedTenants": ["acme"],
            "supportedChannels": ["web", "ivr"],
            "providedCapabilities": [
                {
                    "id": "view-bill",
                    "name": "view-bill",
                    "version": "1.0.0",
                    "description": "Shows a bill",
                    "examples": ["How much?"],
                },
                {"id": "pay", "name": "pay", "version": "2.1.0", "description": "", "examples": []},
            ],
            "endpoint": {"protocol": "local"},
        },
    }


def test_the_capabilities_document_says_the_same_as_the_resource() -> None:
    resource = to_resource(DECLARED, namespace="prod", endpoint=Endpoint(protocol="local"))
    document = to_document(DECLARED).model_dump(by_alias=True)
    spec = resource.to_wire()["spec"]
    assert document == {
        "id": spec["id"],
        "description": spec["description"],
        "supportedTenants": spec["supportedTenants"],
        "supportedChannels": spec["supportedChannels"],
        "capabilities": spec["providedCapabilities"],
    }


def test_what_a_resource_cannot_hold_is_told_with_agent_and_field() -> None:
    agent = Agent(name="a", description="x" * 16385)
    with pytest.raises(DefinitionError, match="Agent 'a': description: String should have at most 16384 characters"):
        to_resource(agent, namespace="default", endpoint=Endpoint(protocol="local"))
