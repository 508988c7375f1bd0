"""`docs/reference/cli.md` against the command line itself: each command and option is documented, and exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cyclopts import App

from lmos.cli.main import COMMANDS, build_app

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
_OPTION = re.compile(r"`(--?[a-z][a-z-]*)[ `]|`(-[A-Z])`")


def _commands() -> dict[str, App]:
    """Each command that does something, by the words that call it."""
    app = build_app()
    found: dict[str, App] = {}
    for name in COMMANDS:
        command = app[name]
        nested = [word for word in command if not word.startswith("-")]
        found |= {f"{name} {word}": command[word] for word in nested} or {name: command}
    return found


def _options(command: App) -> set[str]:
    arguments = command.assemble_argument_collection()
    return {name for argument in arguments for name in argument.names if name.startswith("-")}


def _section(command: str) -> str:
    return PAGE.partition(f"\n## lmos {command}\n")[2].partition("\n## ")[0]


def _documented(text: str) -> set[str]:
    return {long or short for long, short in _OPTION.findall(text)}


@pytest.mark.parametrize("command", _commands())
def test_each_command_is_documented_with_all_its_options(command: str) -> None:
    assert _section(command), f"docs/reference/cli.md has no section '## lmos {command}'"
    assert _options(_commands()[command]) - _documented(_section(command)) == set()


@pytest.mark.parametrize("command", _commands())
def test_each_documented_option_exists(command: str) -> None:
    tables = "\n".join(line.split("|")[1] for line in _section(command).splitlines() if line.startswith("|"))
    assert _documented(tables) - _options(_commands()[command]) == set()


def test_no_command_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^## lmos (.+)$", PAGE, re.MULTILINE)) == set(_commands())


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_options_of_every_command_are_documented(option: str) -> None:
    assert option in PAGE
