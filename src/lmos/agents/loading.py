"""`load_agents`: the agents that `*.agent.py` files define. Manifests, `lmos agent run` and reload use it.

A file is Python that defines `Agent`s at its top level; it may import the modules beside it.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from lmos.agents.agent import Agent
from lmos.agents.errors import LoadError
from lmos.resources.validation import Place

__all__ = ["SUFFIX", "agent_files", "load_agents"]

SUFFIX: Final = ".agent.py"

# `sys.path` and `sys.modules` are the process's: one file is loaded at a time.
_lock = threading.Lock()
_imported: Final[set[str]] = set()


def agent_files(path: Path) -> list[Path]:
    """`path` itself, or the agent files in the folder `path`, by name. A file that is not there gives none."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.name.endswith(SUFFIX) and file.is_file())
    return [path] if path.is_file() else []


def load_agents(path: Path) -> list[Agent]:
    """The agents of a file, or of all `*.agent.py` of a folder, in order of file name and definition.

    Files and the modules beside them are read anew at every call. Raises `LoadError` that names file and line: for code
    that fails, a file without agents, and two agents of one name.
    """
    files = agent_files(path)
    if not files:
        wanted = f"no file *{SUFFIX} in it" if path.is_dir() else "no such file or folder"
        raise LoadError(Place(str(path)), wanted, "`lmos agent new` writes an example")
    found: dict[str, tuple[Path, Agent]] = {}
    with _lock, _importing(files[0].parent.resolve()):
        for file in files:
            for agent in _agents_of(file):
                if agent.name in found:
                    message = f"agent {agent.name!r} is defined in {found[agent.name][0]} already"
                    raise LoadError(Place(str(file)), message, "rename one of them")
                found[agent.name] = (file, agent)
    return [agent for _, agent in found.values()]


@contextmanager
def _importing(folder: Path) -> Generator[None]:
    """Let agent files import the modules of `folder`, in their present state.

    Modules that earlier loads imported leave the module table (the agents that use them keep them), so that two folders
    may each have a `database.py`; whoever else imported from a folder keeps what it has. The folder stays importable
    for functions that import when they run.
    """
    for name in _imported:
        sys.modules.pop(name, None)
    _imported.clear()
    known = set(sys.modules)
    while str(folder) in sys.path:
        sys.path.remove(str(folder))
    sys.path.insert(0, str(folder))
    # Compiled files are dated to the second: what was edited twice within one would be loaded as it was before.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
        _imported.update(name for name in set(sys.modules) - known if _lies_in(folder, sys.modules[name]))


def _lies_in(folder: Path, module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and Path(file).parent == folder


def _agents_of(file: Path) -> list[Agent]:
    module = _run(file)
    found: dict[str, Agent] = {}
    for agent in _defined(module):
        if agent.name in found and found[agent.name] is not agent:
            raise LoadError(Place(str(file)), f"two agents are named {agent.name!r}", "rename one of them")
        found[agent.name] = agent
    if not found:
        raise LoadError(Place(str(file)), "defines no agent", "write `agent = Agent(name=...)` at its top level")
    return list(found.values())


def _defined(module: ModuleType) -> list[Agent]:
    """Agents among the module's top-level values, and in lists and tuples there."""
    found: list[Agent] = []
    for value in vars(module).values():
        items = cast("list[object]", value) if isinstance(value, list | tuple) else [value]
        found += [item for item in items if isinstance(item, Agent)]
    return found


def _run(file: Path) -> ModuleType:
    digest = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]
    stem = file.name.removesuffix(SUFFIX).removesuffix(".py").replace("-", "_").replace(".", "_")
    module = ModuleType(f"lmos_agent_{stem}_{digest}")
    module.__file__ = str(file.resolve())
    # In the table while it runs and after: dataclasses and annotations look their module up there.
    sys.modules[module.__name__] = module
    try:
        exec(compile(file.read_bytes(), str(file), "exec"), vars(module))  # noqa: S102 - running it is the purpose
    except SyntaxError as error:
        raise LoadError(Place(error.filename or str(file), error.lineno or 0), f"syntax error: {error.msg}") from None
    except Exception as error:
        # Border to the author's code: whatever it raises is told with the line of theirs that raised it.
        raise LoadError(_place(file, error), f"{type(error).__name__}: {error}") from error
    return module


def _place(file: Path, error: BaseException) -> Place:
    """The innermost line in the agent's folder."""
    places = [
        Place(frame.filename, frame.lineno or 0)
        for frame in traceback.extract_tb(cast("Any", error.__traceback__))
        if Path(frame.filename).resolve().parent == file.resolve().parent
    ]
    return places[-1] if places else Place(str(file))
