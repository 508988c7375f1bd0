"""Processes under measurement: quiet, ready when they say so, ended by process id."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from lmos.testing.processes import LMOS, ChildProcess, free_port

__all__ = ["LMOS", "cpu_seconds", "free_port", "running"]


@contextmanager
def running(command: Sequence[str], ready_url: str, log: Path, **settings: str) -> Generator[psutil.Process]:
    """`command` as a process, from the moment `ready_url` answers 200; terminated at the end.

    `settings` are environment variables.
    """
    environment = {**os.environ, "LMOS_LOG_LEVEL": "error", **settings}
    with ChildProcess(command, folder=log.parent, name=log.stem, environment=environment, cwd=Path.cwd()) as child:
        child.answering(ready_url)
        yield psutil.Process(child.pid)


def cpu_seconds(process: psutil.Process) -> float:
    """User and system CPU seconds of the process and its ended children so far."""
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system
