"""Changed agent files while the process runs, on a real folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from lmos import Agent
from lmos.agents.loading import load_agents
from lmos.agents.reload import reload_agents

pytestmark = pytest.mark.anyio


def write(file: Path, *names: str) -> None:
    agents = ", ".join(f'Agent(name="{name}")' for name in names)
    file.write_text(f"from lmos import Agent\nagents = [{agents}]\n")


class Served:
    """What the watcher applied last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = [agent.name for agent in load_agents(path)]
        self.changed = asyncio.Event()

    def apply(self, agents: Sequence[Agent]) -> None:
        self.names = [agent.name for agent in agents]
        self.changed.set()

    async def after(self, change: Callable[[], object]) -> list[str]:
        self.changed.clear()
        await asyncio.to_thread(change)
        await asyncio.wait_for(self.changed.wait(), 10)
        return self.names


@asynccontextmanager
async def watching(path: Path) -> AsyncGenerator[Served]:
    served, stop = Served(path), asyncio.Event()
    task = asyncio.create_task(reload_agents(path, served.apply, stop=stop, debounce=50))
    # Nothing tells when the kernel's watch stands.
    await asyncio.sleep(0.2)
    yield served
    stop.set()
    await task


async def told_once(told: Sequence[object]) -> None:
    """Wait until something was logged."""
    for _ in range(1000):
        if told:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nothing was logged")


async def test_a_changed_file_is_taken_over(tmp_path: Path) -> None:
    write(tmp_path / "a.agent.py", "one")
    async with watching(tmp_path) as served:
        assert await served.after(lambda: write(tmp_path / "a.agent.py", "two", "three")) == ["two", "three"]


async def test_a_new_file_joins_and_a_removed_one_leaves(tmp_path: Path) -> None:
    write(tmp_path / "a.agent.py", "one")
    async with watching(tmp_path) as served:
        assert await served.after(lambda: write(tmp_path / "b.agent.py", "two")) == ["one", "two"]
        assert await served.after((tmp_path / "a.agent.py").unlink) == ["two"]
        assert await served.after((tmp_path / "b.agent.py").unlink) == []


async def test_a_broken_file_leaves_the_agents_as_they_were_until_it_is_mended(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.agent.py", "one")
    with capture_logs() as told:
        async with watching(tmp_path) as served:
            (tmp_path / "a.agent.py").write_text("1 / 0\n")
            await told_once(told)
            assert served.names == ["one"]
            assert await served.after(lambda: write(tmp_path / "a.agent.py", "two")) == ["two"]
    assert [line["event"] for line in told] == ["agents not reloaded", "agents reloaded"]
    assert "a.agent.py:1: ZeroDivisionError" in told[0]["error"]


async def test_a_change_of_a_module_beside_the_file_counts(tmp_path: Path) -> None:
    (tmp_path / "naming.py").write_text('name = "one"\n')
    source = "from lmos import Agent\nimport naming\na = Agent(name=naming.name)\n"
    (tmp_path / "a.agent.py").write_text(source)
    async with watching(tmp_path / "a.agent.py") as served:
        assert await served.after(lambda: (tmp_path / "naming.py").write_text('name = "two"\n')) == ["two"]
