"""`lmos agent`: a new agent works as written, and is served and reloaded."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from lmos.agents.loading import load_agents
from lmos.testing.processes import LmosProcess, until
from tests.cli.conftest import Lmos


def test_a_new_agent_is_a_small_file_that_loads(lmos: Lmos, folder: Path) -> None:
    outcome = lmos("agent", "new", "shop")
    assert (outcome.code, outcome.out) == (0, "wrote shop.agent.py; serve it with `lmos agent run shop.agent.py`\n")
    [agent] = load_agents(folder / "shop.agent.py")
    assert agent.name == "shop"
    assert len((folder / "shop.agent.py").read_text().splitlines()) <= 16


def test_a_folder_is_made_for_it(lmos: Lmos, folder: Path) -> None:
    assert lmos("agent", "new", "shop", "--folder", "agents/mine").code == 0
    assert (folder / "agents" / "mine" / "shop.agent.py").exists()


def test_a_file_that_exists_is_left_alone(lmos: Lmos, folder: Path) -> None:
    (folder / "shop.agent.py").write_text("mine")
    outcome = lmos("agent", "new", "shop")
    assert outcome.code == 1
    assert outcome.err == "error: shop.agent.py exists already\n  fix: choose another name, or remove it first\n"
    assert (folder / "shop.agent.py").read_text() == "mine"


@pytest.mark.parametrize("name", ["My Shop", "-shop", "../shop", "", "a" * 64, "shop.agent.py"])
def test_a_name_that_kubernetes_would_refuse_is_refused(lmos: Lmos, folder: Path, name: str) -> None:
    before = sorted(folder.iterdir())
    outcome = lmos("agent", "new", "--", name)
    assert outcome.code == 1
    assert "is no name for an agent" in outcome.err
    assert sorted(folder.iterdir()) == before


def test_a_file_without_agents_is_not_served(lmos: Lmos, folder: Path) -> None:
    (folder / "empty.agent.py").write_text("")
    outcome = lmos("agent", "run", "empty.agent.py", "--port", "0")
    assert outcome.code == 1
    assert outcome.err.startswith("error: empty.agent.py: defines no agent")


def test_an_agent_is_served_reloaded_and_stopped(lmos: Lmos, folder: Path) -> None:
    lmos("agent", "new", "shop")
    with LmosProcess("agent", "run", "shop.agent.py", "--port", "0", folder=folder) as command:
        url = command.ready()
        assert command.out.startswith(f"serving shop at {url} with model offline")
        ask = ("chat", "--direct", "--url", url, "Where is my order 4711?")
        assert lmos(*ask).out == "agent: Order 4711 is on its way and arrives tomorrow.\n"
        _edit(folder / "shop.agent.py", "tomorrow", "on Friday")
        until(lambda: _description(url) == "Tells where parcels are.", "reloading")
        assert lmos(*ask).out == "agent: Order 4711 is on its way and arrives on Friday.\n"
        assert command.stop() == 0
        assert "agents reloaded" in command.err


def _edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new).replace("where orders are", "where parcels are"))


def _description(url: str) -> str:
    return httpx2.get(f"{url}/.well-known/capabilities.json").json()["description"]
