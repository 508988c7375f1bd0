"""The sandbox catches what does not work: else the fences would pass whatever they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmos.resources.loader import ManifestError
from tests.docs.pages import ROOT, Fence
from tests.docs.sandbox import Sandbox, commands_of

_PAGE = ROOT / "README.md"


def _fence(language: str, body: str, title: str | None = None) -> Fence:
    return Fence(_PAGE, 1, language, title, body)


@pytest.mark.parametrize(
    ("language", "body", "complaint"),
    [
        ("toml", "a = 1\n", "nobody knows how to check language 'toml'"),
        ("", "lmos up\n", "nobody knows how to check language ''"),
        ("bash", "rm -rf x\n", "nobody knows how to run"),
        ("bash", "make bread\n", "the Makefile has no target"),
        ("bash", "lmos get agent/nobody\n", "ends with 1"),
        ("console", "$ lmos get agents\nNAME   CHANNELS\nx      web\n", "but says"),
        ("console", "output\n", "output before the first command"),
        ("python", "assert 1 == 2, 'no'\n", "no"),
    ],
    ids=["language", "no language", "command", "make target", "exit code", "output", "order", "python"],
)
def test_what_does_not_work_as_shown_fails(tmp_path: Path, language: str, body: str, complaint: str) -> None:
    with Sandbox(tmp_path) as sandbox, pytest.raises(AssertionError, match=complaint):
        sandbox.run(_fence(language, body))


def test_a_manifest_that_the_loader_refuses_fails_unless_it_is_shown_as_wrong(tmp_path: Path) -> None:
    body = "apiVersion: lmos.eclipse/v1\nkind: Agent\nmetadata: {title: x}\n"
    with Sandbox(tmp_path) as sandbox:
        sandbox.run(_fence("yaml", body, "wrong.yaml"))
        with pytest.raises(ManifestError):
            sandbox.run(_fence("yaml", body))


def test_names_and_files_of_a_page_live_on_to_its_next_fence(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        sandbox.run(_fence("python", "x = 1\n", "x.py"))
        sandbox.run(_fence("python", "from pathlib import Path\nassert Path('x.py').read_text() == f'x = {x}\\n'\n"))


def test_ages_ids_and_scores_may_differ_and_dots_stand_for_anything(tmp_path: Path) -> None:
    shown = "$ lmos --version\n...\n$ lmos get agents\nNo resources found ...\n"
    with Sandbox(tmp_path) as sandbox:
        sandbox.run(_fence("console", shown))


def test_a_command_may_go_on_in_the_next_line() -> None:
    (command,) = commands_of(_fence("console", "$ lmos get \\\n    agents\nsaid\n"))
    assert (command.line.split(), command.output) == (["lmos", "get", "agents"], "said")
