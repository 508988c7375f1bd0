"""Agents in process, and over ARC on a real socket."""

from __future__ import annotations

import gc
import json
import weakref

import httpx2
import pytest

from lmos import Agent, Capability
from lmos.agents.manifest import to_document
from lmos.agents.serving import LocalAgents, serve_app
from lmos.conversation.errors import AgentFailed
from lmos.conversation.exchange import Answer, ToolCall
from lmos.models.base import ModelError
from lmos.models.registry import model_named
from lmos.protocols.arc.capabilities import parse_capabilities
from lmos.protocols.arc.client import ArcClient
from lmos.testing import Calls, ScriptedModel, serving
from tests.agents.requests import asking

pytestmark = pytest.mark.anyio


def hello(name: str) -> str:
    """Say hello."""
    return f"Hello {name}"


FIRST = Agent(name="first", capabilities=[Capability("greet", examples=["Hi"])], tools=[hello], channels=["web"])
SECOND = Agent(name="second")


async def answers(agents: LocalAgents, name: str | None) -> str:
    events = [event async for event in agents.ask(name, asking("Hi"))]
    assert isinstance(events[-1], Answer)
    return events[-1].message.content


async def test_an_agent_is_asked_by_name_and_the_first_without_one() -> None:
    agents = LocalAgents(ScriptedModel(["one", "two"]), [FIRST, SECOND])
    assert agents.names == ("first", "second")
    assert [await answers(agents, "second"), await answers(agents, None)] == ["one", "two"]
    await agents.aclose()


@pytest.mark.parametrize("agents", [[], [FIRST]], ids=["none", "another"])
async def test_an_agent_that_is_not_here_fails_with_those_that_are(agents: list[Agent]) -> None:
    with pytest.raises(
        AgentFailed, match=f"'other' is not loaded in this process; loaded are: {'first' if agents else 'none'}"
    ):
        await answers(LocalAgents(ScriptedModel(), agents), "other")


async def test_replaced_agents_are_gone_for_new_turns_and_finish_running_ones() -> None:
    agents = LocalAgents(ScriptedModel([Calls(("hello", {"name": "Ada"})), "Done"]), [FIRST])
    running = agents.ask("first", asking("Hi"))
    assert isinstance(await anext(running), ToolCall)
    agents.replace([SECOND])
    with pytest.raises(AgentFailed):
        await answers(agents, "first")
    assert isinstance([event async for event in running][-1], Answer)


async def test_nothing_is_kept_of_a_replaced_agent() -> None:
    gone = Agent(name="gone", tools=[hello])
    agents = LocalAgents(ScriptedModel(["Hello"]), [gone])
    assert await answers(agents, "gone") == "Hello"
    agents.replace([FIRST])
    kept = weakref.ref(gone)
    del gone
    gc.collect()
    assert kept() is None


async def test_two_agents_of_one_name_are_refused_and_nothing_changes() -> None:
    agents = LocalAgents(ScriptedModel(), [FIRST])
    with pytest.raises(ValueError, match="two agents are named second"):
        agents.replace([SECOND, Agent(name="second")])
    assert agents.names == ("first",)


async def test_an_agents_own_model_name_wins_over_the_platforms_model() -> None:
    agents = LocalAgents(ScriptedModel(["never"]), [Agent(name="a", model="nobody:x")])
    with pytest.raises(AgentFailed, match="Unknown model: nobody:x"):
        await answers(agents, "a")


def test_no_agent_loads_no_engine() -> None:
    def unreachable(name: str | None) -> object:
        raise ModelError("asked")

    agents = LocalAgents(unreachable)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert agents.agents == ()


async def test_an_arc_client_gets_the_answer_and_the_tools_over_a_socket() -> None:
    agents = LocalAgents(ScriptedModel([Calls(("hello", {"name": "Ada"})), "Hello Ada"]), [FIRST])
    client = ArcClient()
    async with serving(serve_app(agents)) as url:
        events = [event async for event in client.ask(url, asking("Hi"), agent_name="first")]
        await client.aclose()
    assert isinstance(events[-1], Answer)
    assert events[-1].message.content == "Hello Ada"
    assert [(e.name, e.arguments) for e in events if isinstance(e, ToolCall)] == [("hello", {"name": "Ada"})]


async def test_a_failing_agent_is_an_error_to_the_arc_client() -> None:
    client = ArcClient()
    async with serving(serve_app(LocalAgents(ScriptedModel(), [FIRST]))) as url:
        with pytest.raises(AgentFailed, match="the script of model 'scripted' has no answer"):
            _ = [event async for event in client.ask(url, asking("Hi"))]
        await client.aclose()


async def get(agents: LocalAgents, path: str) -> httpx2.Response:
    async with serving(serve_app(agents)) as url, httpx2.AsyncClient() as client:
        return await client.get(f"{url}{path}")


@pytest.mark.parametrize(
    ("query", "agent"),
    [("", FIRST), ("?agent=second", SECOND), ("?agent=first", FIRST)],
    ids=["first", "named", "same"],
)
async def test_the_capabilities_document_is_that_of_the_first_agent_or_the_named_one(query: str, agent: Agent) -> None:
    agents = LocalAgents(ScriptedModel(), [FIRST, SECOND])
    response = await get(agents, f"/.well-known/capabilities.json{query}")
    assert parse_capabilities(response.content) == to_document(agent)


async def test_the_document_of_an_unknown_agent_is_not_found() -> None:
    response = await get(LocalAgents(ScriptedModel(), [FIRST]), "/.well-known/capabilities.json?agent=x")
    assert (response.status_code, response.json()) == (404, {"error": "no agent 'x' here; there are: first"})


async def test_the_agents_names_are_a_graphql_query() -> None:
    async with (
        serving(serve_app(LocalAgents(ScriptedModel(), [FIRST, SECOND]))) as url,
        httpx2.AsyncClient() as client,
    ):
        response = await client.post(f"{url}/graphql", content=json.dumps({"query": "{agent{names}}"}))
    assert response.json() == {"data": {"agent": {"names": ["first", "second"]}}}


@pytest.mark.parametrize(
    ("agents", "path", "status"),
    [([FIRST], "/livez", 200), ([FIRST], "/readyz", 200), ([], "/livez", 200), ([], "/readyz", 503)],
)
async def test_a_server_without_agents_lives_but_is_not_ready(agents: list[Agent], path: str, status: int) -> None:
    assert (await get(LocalAgents(ScriptedModel(), agents), path)).status_code == status


async def test_the_offline_model_serves_without_a_key() -> None:
    agents = LocalAgents(model_named("offline"), [FIRST])
    assert await answers(agents, "first") == "I need one more detail: name. What should I use?"
