"""`architecture.md` draws the house as it stands: floors, ports, their variants and suites."""

from __future__ import annotations

import tomllib
from importlib import import_module

import pytest

from lmos.cli.main import COMMANDS
from tests.docs.pages import ROOT, spans_in, tables, text_of

_FLOORS, _PROCESSES, _PORTS, _ = tables(text_of("architecture.md"))
_SOURCE = "\n".join(path.read_text() for path in (ROOT / "src/lmos").rglob("*.py"))


def test_the_floors_are_those_that_import_linter_checks() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (checked,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    drawn = [" | ".join(spans_in(room)) for _, room, _ in _FLOORS]
    assert [*drawn[-1:], *drawn[:-1]] == checked


@pytest.mark.parametrize("row", _PORTS, ids=lambda row: row[0].strip("`"))
def test_a_port_has_the_variants_and_the_suite_of_its_row(row: list[str]) -> None:
    (port,), variants, suites = spans_in(row[0]), spans_in(row[2]), spans_in(row[3])
    module, _, name = port.rpartition(".")
    assert name in import_module(f"lmos.{module}").__all__
    assert [variant for variant in variants if f"\nclass {variant}" not in _SOURCE] == []
    assert [suite for suite in suites if not (ROOT / suite).is_file()] == []


def test_every_process_is_a_command_composed_where_the_page_says() -> None:
    for command, module, _ in _PROCESSES:
        name = command.strip("`").removeprefix("lmos ")
        assert name in COMMANDS
        assert (ROOT / "src" / "lmos" / module.strip("`")).is_file()
