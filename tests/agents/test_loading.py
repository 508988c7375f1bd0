"""Agent files: what they define, what they import, and how each slip is told."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmos.agents.errors import LoadError
from lmos.agents.loading import load_agents
from lmos.agents.manifest import to_resource
from lmos.resources.agent import Agent as AgentResource
from lmos.resources.agent import Endpoint
from lmos.resources.loader import ManifestError, load

BILLING = 'from lmos import Agent\n\nagent = Agent(name="billing")\n'


@pytest.fixture(autouse=True)
def clean_import_path() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name in ("prices", "deep"):
            del sys.modules[name]


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name.replace('_agent', '.agent')}.py").write_text(text)
    return folder


def test_a_folder_gives_its_files_agents_by_file_name(tmp_path: Path) -> None:
    write(tmp_path, b_agent=BILLING, a_agent='from lmos import Agent\nx = Agent(name="x")\ny = Agent(name="y")\n')
    assert [agent.name for agent in load_agents(tmp_path)] == ["x", "y", "billing"]


def test_a_file_gives_its_own_agents_only(tmp_path: Path) -> None:
    write(tmp_path, a_agent=BILLING, b_agent='from lmos import Agent\nx = Agent(name="x")\n')
    assert [agent.name for agent in load_agents(tmp_path / "a.agent.py")] == ["billing"]


def test_agents_in_a_list_count(tmp_path: Path) -> None:
    write(tmp_path, a_agent='from lmos import Agent\nall = [Agent(name=n) for n in ("a", "b")]\n')
    assert [agent.name for agent in load_agents(tmp_path)] == ["a", "b"]


def test_an_agent_under_two_names_is_one(tmp_path: Path) -> None:
    write(tmp_path, a_agent=BILLING + "same = agent\n")
    assert len(load_agents(tmp_path)) == 1


def test_modules_beside_the_file_can_be_imported(tmp_path: Path) -> None:
    write(tmp_path, prices="price = 5\n", a_agent="from prices import price\n" + BILLING + "assert price == 5\n")
    assert load_agents(tmp_path)


def test_modules_beside_the_file_are_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # whatever the environment says
    write(
        tmp_path, prices='name = "old"\n', a_agent="from lmos import Agent\nimport prices\na = Agent(name=prices.name)"
    )
    assert load_agents(tmp_path)[0].name == "old"
    write(tmp_path, prices='name = "new"\n')
    assert load_agents(tmp_path)[0].name == "new"


def test_two_folders_may_have_modules_of_one_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        source = "from lmos import Agent\nimport prices\na = Agent(name=prices.name)"
        write(tmp_path / name, prices=f'name = "{name}"\n', a_agent=source)
    assert [load_agents(tmp_path / name)[0].name for name in ("one", "two", "one")] == ["one", "two", "one"]


def test_no_compiled_files_are_left(tmp_path: Path) -> None:
    write(tmp_path, prices="price = 5\n", a_agent="import prices\n" + BILLING)
    load_agents(tmp_path)
    assert not list(tmp_path.rglob("*.pyc"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n", r"a\.agent\.py: defines no agent; write `agent = Agent\(name=\.\.\.\)`"),
        ("x = 1\nx = = 2\n", r"a\.agent\.py:2: syntax error: invalid syntax"),
        ("x = 1\n\n1 / 0\n", r"a\.agent\.py:3: ZeroDivisionError"),
        ("import nowhere\n", r"a\.agent\.py:1: ModuleNotFoundError: No module named 'nowhere'"),
        ('from lmos import Agent\n\na = Agent(name="No")\n', r"a\.agent\.py:3: DefinitionError: .*write e\.g\. 'no'"),
        ("from deep import x\n", r"deep\.py:2: ZeroDivisionError"),
        (BILLING + 'other = Agent(name="billing")\n', r"a\.agent\.py: two agents are named 'billing'"),
    ],
    ids=["none", "syntax", "raises", "import", "definition", "module beside", "twice"],
)
def test_a_file_that_cannot_be_used_is_told_with_its_line(tmp_path: Path, source: str, message: str) -> None:
    write(tmp_path, a_agent=source, deep="x = 1\ny = 1 / 0\n")
    with pytest.raises(LoadError, match=message):
        load_agents(tmp_path)


def test_two_files_with_one_agents_name_are_told_with_both_files(tmp_path: Path) -> None:
    write(tmp_path, a_agent=BILLING, b_agent=BILLING)
    with pytest.raises(LoadError, match=r"b\.agent\.py: agent 'billing' is defined in .*a\.agent\.py already"):
        load_agents(tmp_path)


@pytest.mark.parametrize(
    ("path", "message"), [("nowhere", "no such file or folder"), (".", r"no file \*\.agent\.py in it")]
)
def test_a_path_without_agent_files_is_told(tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        load_agents(tmp_path / path)


def test_a_broken_agent_file_is_told_among_the_problems_of_other_manifests(tmp_path: Path) -> None:
    write(tmp_path, a_agent="x = 1\ny = x / 0\n")
    (tmp_path / "b.yaml").write_text("{")
    with pytest.raises(ManifestError) as caught:
        load([tmp_path], python_agents=_resources)
    first, second = caught.value.problems
    assert (str(first.place), first.message) == (
        f"{tmp_path / 'a.agent.py'}:2",
        "ZeroDivisionError: division by zero",
    )
    assert second.place is not None
    assert second.place.file == str(tmp_path / "b.yaml")


def _resources(path: Path) -> list[AgentResource]:
    return [to_resource(agent, namespace="default", endpoint=Endpoint(protocol="local")) for agent in load_agents(path)]


def test_a_module_that_somebody_else_imported_from_the_folder_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop.agent.py").write_text("from lmos import Agent\nagent = Agent(name='shop')\n")
    (tmp_path / "caller_of_load_agents.py").write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    caller = importlib.import_module("caller_of_load_agents")

    load_agents(tmp_path)

    assert sys.modules["caller_of_load_agents"] is caller
