"""The example telco: its SQL, its agents' tools on the real database, its manifests, and the whole demo."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lmos import Agent, Turn
from lmos.agents.errors import ToolError
from lmos.agents.loading import load_agents
from lmos.agents.manifest import to_resource
from lmos.conversation.exchange import AgentRequest
from lmos.conversation.messages import Message, User
from lmos.operator.resolver import resolve
from lmos.resources.agent import Agent as AgentResource
from lmos.resources.agent import Endpoint
from lmos.resources.base import Resource
from lmos.resources.channel import Channel
from lmos.resources.loader import load

pytestmark = pytest.mark.anyio

ACME = Path(__file__).parents[2] / "examples" / "acme"
IN_PROCESS = [ACME / "billing.agent.py", ACME / "contract.agent.py"]
MANIFESTS = ACME / "manifests"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "acme.db"
    monkeypatch.setenv("ACME_DATABASE", str(path))
    return path


def agent(name: str) -> Agent:
    return load_agents(ACME / f"{name}.agent.py")[0]


async def call(agent: Agent, tool: str, *, user: str = "anna", query: str = "?", **arguments: Any) -> str:
    request = AgentRequest("c-1", (Message(role="user", content=query),), User(id=user), tenant="acme")
    found = agent.tool(tool)
    assert found is not None
    return await found.call(arguments, Turn(request))


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as db:
        return db.execute(query).fetchall()


def declared(*paths: Path) -> list[Resource]:
    return [item.resource for item in load(list(paths), default_namespace="default")]


def local_agents() -> list[AgentResource]:
    found = [agent for path in IN_PROCESS for agent in load_agents(path)]
    return [to_resource(agent, namespace="default", endpoint=Endpoint(protocol="local")) for agent in found]


async def test_the_database_is_made_once_from_sql_even_by_many_at_once(database: Path) -> None:
    contract = agent("contract")
    answers = await asyncio.gather(*(call(contract, "my_tariff") for _ in range(8)))
    assert set(answers) == {"You have Mobile M with 20 GB for 39.95 EUR a month."}
    assert rows(database, "SELECT count(*) FROM customers") == [(5,)]


async def test_every_bill_has_items_and_every_reference_holds(database: Path) -> None:
    await call(agent("contract"), "my_tariff")
    assert rows(database, "PRAGMA foreign_key_check") == []
    without = "SELECT * FROM bills b WHERE NOT EXISTS (SELECT 1 FROM bill_items i WHERE i.month = b.month)"
    assert rows(database, without) == []


async def test_a_bill_lists_its_items_and_adds_them_up(database: Path) -> None:
    answer = await call(agent("billing"), "show_bill", month=3)
    assert answer == (
        "Your bill for March 2026 is 61.90 EUR (Mobile M 39.95 EUR, Roaming in Switzerland 21.95 EUR); "
        "it is paid, due 14 April 2026."
    )


async def test_the_bill_before_is_the_one_before_that_which_was_shown(database: Path) -> None:
    billing = agent("billing")
    await call(billing, "show_bill", month=3)
    assert "February 2026" in await call(billing, "bill_before")
    assert "January 2026" in await call(billing, "bill_before")
    assert await call(billing, "bill_before") == "There is no bill before January 2026."


async def test_the_latest_bill_is_the_newest_month(database: Path) -> None:
    assert "June 2026" in await call(agent("billing"), "show_bill")


async def test_an_objection_is_kept_in_the_customers_words(database: Path) -> None:
    billing = agent("billing")
    await call(billing, "show_bill", month=5)
    await call(billing, "dispute_bill", query="I never called Norway")
    disputed = "SELECT customer, month, objection FROM bills WHERE status = 'disputed'"
    assert rows(database, disputed) == [("anna", "2026-05", "I never called Norway")]


@pytest.mark.parametrize(("confirmed", "cancelled"), [(True, 1), (False, 0)])
async def test_a_contract_is_cancelled_only_when_confirmed(database: Path, confirmed: bool, cancelled: int) -> None:
    await call(agent("contract"), "cancel_contract", confirmed=confirmed)
    assert rows(database, "SELECT cancelled FROM contracts WHERE customer = 'anna'") == [(cancelled,)]


async def test_a_changed_tariff_is_the_customers_from_then_on(database: Path) -> None:
    contract = agent("contract")
    await call(contract, "change_tariff", tariff="Mobile L")
    assert "Mobile L" in await call(contract, "my_tariff")
    assert "Mobile S" in await call(contract, "my_tariff", user="ben")


async def test_an_opened_ticket_can_be_looked_up_by_its_owner_only(database: Path) -> None:
    support = agent("support")
    assert await call(support, "open_ticket", query="No dial tone") == "I have opened ticket 1006 for you."
    assert await call(support, "ticket_status", number=1006) == "Ticket 1006 (No dial tone) is open."
    assert await call(support, "ticket_status", user="ben", number=1006) == "I cannot find a ticket 1006 of yours."


async def test_an_unknown_customer_is_told_which_there_are(database: Path) -> None:
    with pytest.raises(ToolError, match="no customer 'zoe'; in this example there are: anna, ben, clara"):
        await call(agent("billing"), "show_bill", user="zoe")


async def test_outages_are_those_of_the_customers_city(database: Path) -> None:
    support = agent("support")
    assert "Bonn is disturbed" in await call(support, "check_outage")
    assert "no known outage in Cologne" in await call(support, "check_outage", user="ben")


def test_the_apps_channel_alone_waits_for_the_support_agent() -> None:
    agents = local_agents()
    channels = [item for item in declared(MANIFESTS / "channels.yaml") if isinstance(item, Channel)]
    missing = [c.metadata.name for c in channels if not resolve(c, agents).resolved]
    assert len(channels) == 5
    assert missing == ["acme-app"]
    agents += [item for item in declared(MANIFESTS / "support.yaml") if isinstance(item, AgentResource)]
    assert all(resolve(c, agents).resolved for c in channels)


def test_the_rollout_names_two_channels_that_exist() -> None:
    loaded = declared(MANIFESTS / "channels.yaml", MANIFESTS / "rollout.yaml")
    names = {item.metadata.name for item in loaded if isinstance(item, Channel)}
    (rollout,) = (item.to_wire() for item in loaded if item.KIND == "ChannelRollout")
    canary = rollout["spec"]["strategy"]["canary"]
    assert {canary["canaryChannel"]["name"], canary["stableChannel"]["name"]} <= names


def test_the_support_manifest_declares_what_the_support_agent_can_do() -> None:
    (manifest,) = (item.to_wire()["spec"] for item in declared(MANIFESTS / "support.yaml"))
    code = to_resource(agent("support"), namespace="default", endpoint=Endpoint(protocol="arc")).to_wire()["spec"]
    for field in ("description", "supportedTenants", "supportedChannels"):
        assert manifest[field] == code[field]
    known = ("name", "version", "description", "examples")
    offers = [[{key: c[key] for key in known} for c in s["providedCapabilities"]] for s in (manifest, code)]
    assert offers[0] == offers[1]


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_the_demo_plays_to_its_end_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(ACME / "demo.py")]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=80)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []
