"""The entry point: start-up, exit codes, and the border where errors become one line."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from lmos import __version__
from lmos.cli import errors, options
from lmos.cli.main import COMMANDS
from lmos.settings import Settings
from tests.cli.conftest import Lmos

LMOS = [sys.executable, "-m", "lmos.cli.main"]
HEAVY = ("sqlalchemy", "alembic", "pydantic_ai", "fastapi", "starlette", "strawberry", "aiohttp", "numpy", "wordllama")


def test_help_loads_nothing_heavy_and_no_command() -> None:
    script = "import sys; from lmos.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = set(done.stderr.split())
    assert loaded.isdisjoint({*HEAVY, "pydantic", "yaml"})
    assert loaded.isdisjoint({path.partition(":")[0] for path, _ in COMMANDS.values()})


def test_reading_objects_loads_no_web_server_and_no_agents() -> None:
    script = (
        "import sys; from lmos.cli.main import main; main(['get', 'agents', '--data', '/nonexistent']);"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert set(done.stderr.split()).isdisjoint(set(HEAVY))


def test_the_version_is_printed(lmos: Lmos) -> None:
    outcome = lmos("--version")
    assert (outcome.code, outcome.out) == (0, f"lmos {__version__}\n")


@pytest.mark.parametrize("command", [name for name in COMMANDS if not name.startswith("-")])
def test_each_command_has_a_help_page(lmos: Lmos, command: str) -> None:
    outcome = lmos(command, "--help")
    assert outcome.code == 0
    assert outcome.out.startswith(f"Usage: lmos {command}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gte", "agents"), 'error: unknown command "gte". Did you mean "get"?'),
        (("get", "--nope"), "error: unknown option: --nope"),
        (("route",), 'error: command "route" parameter QUERY requires an argument'),
        (("get", "agents", "-o", "xml"), 'error: invalid value "xml"'),
        (("up", "--port", "x"), 'error: invalid value for --port: unable to convert "x" into int'),
        (("up", "--port", "70000"), "error: bad setting: --port=70000"),
    ],
)
def test_what_cannot_be_parsed_is_exit_code_1(lmos: Lmos, words: tuple[str, ...], message: str) -> None:
    outcome = lmos(*words)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(message)
    assert "\n  fix: " in outcome.err


def test_a_bad_environment_variable_is_named(lmos: Lmos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMOS_PORT", "http")
    outcome = lmos("up")
    assert outcome.code == 1
    assert outcome.err.startswith("error: bad setting: LMOS_PORT='http'")


def _crash() -> None:
    raise RuntimeError("first line\nsecond line")


def test_an_unexpected_error_is_one_line_with_a_hint(lmos: Lmos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmos.resources.crds.crds_yaml", _crash)
    outcome = lmos("crds")
    assert outcome.code == 1
    assert outcome.err.startswith("error: unexpected RuntimeError: first line\n  fix: set LMOS_DEBUG=1")


def test_an_unexpected_error_shows_its_traceback_when_debugging(lmos: Lmos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmos.resources.crds.crds_yaml", _crash)
    monkeypatch.setenv("LMOS_DEBUG", "1")
    with pytest.raises(RuntimeError, match="first line"):
        lmos("crds")


@pytest.mark.parametrize("path", errors.EXPECTED)
def test_each_expected_family_of_errors_exists(path: str) -> None:
    module, _, name = path.partition(":")
    assert issubclass(getattr(importlib.import_module(module), name), Exception)


def test_the_only_error_in_groups_is_the_one_explained(lmos: Lmos, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> None:
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [errors.CommandError("broken", "mend it")])])

    monkeypatch.setattr("lmos.resources.crds.crds_yaml", crash)
    assert lmos("crds").err == "error: broken\n  fix: mend it\n"


def test_an_interrupted_command_is_exit_code_130(lmos: Lmos, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lmos.resources.crds.crds_yaml", interrupt)
    assert lmos("crds").code == 130


def test_a_reader_that_leaves_ends_the_command_quietly() -> None:
    command = subprocess.Popen([*LMOS, "crds"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    assert command.wait(timeout=20) == 141
    assert command.stderr.read() == b""
    command.stderr.close()


def test_defaults_are_those_of_the_settings() -> None:
    assert Settings.model_fields["data"].default == options.DEFAULT_DATA
    assert Settings.model_fields["namespace"].default == options.DEFAULT_NAMESPACE


def test_completion_is_installed_for_the_shell(lmos: Lmos, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    outcome = lmos("--install-completion", "--shell", "bash")
    assert outcome.code == 0
    scripts = list(folder.rglob("completions/lmos"))
    assert "describe" in scripts[0].read_text()


def test_crds_are_printed_for_kubectl(lmos: Lmos) -> None:
    outcome = lmos("crds")
    assert outcome.code == 0
    assert outcome.out.count("kind: CustomResourceDefinition") == 4
