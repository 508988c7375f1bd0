"""The surface of the package: cheap and quiet imports, names that exist, no I/O when a module is imported."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

import lmos
import lmos.testing

HEAVY = ("aiohttp", "cyclopts", "fastapi", "numpy", "pydantic", "pydantic_ai", "sqlalchemy", "wordllama", "yaml")
# What `alembic` runs in an environment of its own making.
_RUN_BY_ALEMBIC = ("lmos.database.alembic", "lmos.operator.revisions", "lmos.runtime.revisions")

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(lmos.__path__, "lmos.")
    if not module.name.startswith(_RUN_BY_ALEMBIC) and not any(part.startswith("_") for part in module.name.split("."))
)


def in_fresh_interpreter(code: str) -> Any:
    """What `code` prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=25)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_lmos_loads_nothing_heavy() -> None:
    loaded = in_fresh_interpreter("import lmos, json, sys; print(json.dumps(sorted(sys.modules)))")
    assert set(loaded).isdisjoint(HEAVY)


def test_importing_the_command_line_loads_no_engine() -> None:
    code = "import lmos.cli.main, json, sys; print(json.dumps(sorted(sys.modules)))"
    assert set(in_fresh_interpreter(code)).isdisjoint({*HEAVY} - {"cyclopts"})


@pytest.mark.parametrize("module", [lmos, lmos.testing], ids=["lmos", "lmos.testing"])
def test_every_lazy_name_is_the_object_of_its_home(module: Any) -> None:
    assert sorted(module.__all__) == dir(module)
    for name, home in module._HOME.items():
        path = home if home.startswith("lmos.") else f"{module.__name__}.{home}"
        assert getattr(module, name) is getattr(import_module(path), name)


@pytest.mark.parametrize("module", [lmos, lmos.testing], ids=["lmos", "lmos.testing"])
def test_an_unknown_name_is_an_attribute_error_that_names_it(module: Any) -> None:
    with pytest.raises(AttributeError, match="Agnet"):
        _ = module.Agnet


@pytest.mark.parametrize("name", MODULES)
def test_every_name_in_all_exists(name: str) -> None:
    module = import_module(name)
    public = getattr(module, "__all__", None)
    if public is None:
        assert _holds_constants_only(module), f"{name} has no __all__"
        return
    assert [entry for entry in public if not hasattr(module, entry)] == []
    assert len(set(public)) == len(public)


def _holds_constants_only(module: ModuleType) -> bool:
    """A table of names, whose every constant is public, or an empty package."""
    own = {name for name in vars(module) if not name.startswith("_")} - {"annotations", "Final"}
    submodules = {module.name for module in pkgutil.iter_modules(getattr(module, "__path__", []))}
    return all(name.isupper() for name in own - submodules)


_GUARD = """
import builtins, importlib, io, json, os, socket, subprocess, sys
tried = []

def watch(event, arguments):
    if event == "socket.bind" and arguments[1] == ("::1", 0):
        return  # urllib3 asks so whether the machine has IPv6
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.mkdir", "os.remove"):
        tried.append([event, str(arguments)])
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        tried.append([event, str(arguments[0])])

sys.dont_write_bytecode = True
sys.addaudithook(watch)
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps(tried))
"""


def test_importing_every_module_writes_nothing_and_contacts_nobody() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _GUARD, json.dumps(MODULES)], capture_output=True, text=True, check=False, timeout=25
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    assert done.stderr == ""
