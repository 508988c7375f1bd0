"""`reload_agents`: puts changed agent files to work while the process runs. For development: `lmos agent run`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from watchfiles import Change
from watchfiles import awatch as _awatch  # pyright: ignore[reportUnknownVariableType] - a trio type in its signature

from lmos.agents.agent import Agent
from lmos.agents.errors import LoadError
from lmos.agents.loading import agent_files, load_agents
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["reload_agents"]

_log = logger("agents")


async def reload_agents(
    path: Path,
    apply: Callable[[Sequence[Agent]], Awaitable[None] | None],
    *,
    stop: asyncio.Event | None = None,
    debounce: int = 200,
) -> None:
    """Watch `path` (a file, or a folder of `*.agent.py`) and give `apply` all its agents after each change, until
    `stop` is set or the task is cancelled.

    All files are taken over together or not at all: while one is broken, the agents of before stay, and one log line
    says why. A removed file takes its agents along. Changes within `debounce` milliseconds are one.
    """
    async for _ in _awatch(_folder(path), watch_filter=_is_python, stop_event=stop, debounce=debounce, step=50):
        try:
            # In a thread: an import may take seconds, and turns go on meanwhile.
            agents = await asyncio.to_thread(load_agents, path) if agent_files(path) else []
            applied = apply(agents)
            if inspect.isawaitable(applied):
                await applied
        except (LoadError, ValueError) as error:
            _log.warning(names.EVENT_AGENTS_NOT_RELOADED, error=str(error))
        else:
            _log.info(names.EVENT_AGENTS_RELOADED, agents=[agent.name for agent in agents])


def _folder(path: Path) -> Path:
    """What to watch: of a file its folder, since editors replace files, and modules beside it count too."""
    return path if path.is_dir() else path.parent


def _is_python(_: Change, path: str) -> bool:
    return path.endswith(".py") and "__pycache__" not in path
