"""The running programs of a cluster, each bound to the life of this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from lmos.testing.processes import ChildProcess

__all__ = ["Janitor", "Part", "bound"]

_HERE: Final = Path(__file__).parent
_PYTHON: Final = (sys.executable, "-I", "-S")  # nothing but the interpreter: it starts in 10 ms

# Linux ends a part when the thread that started it ends, so all are started by one that lives as long as this process.
_STARTER: Final = ThreadPoolExecutor(1, thread_name_prefix="testcluster")


def bound(command: Sequence[str]) -> list[str]:
    """The command line of a process that Linux ends when the thread that starts it does."""
    return [*_PYTHON, str(_HERE / "launch.py"), str(os.getpid()), *command]


class Part(ChildProcess):
    """A running part. Its output is in `<name>.out` and `<name>.err` of the folder, its id in `<name>.pid`."""

    def __init__(self, command: Sequence[str], *, folder: Path, name: str) -> None:
        super().__init__(bound(command), folder=folder, name=name)
        (folder / f"{name}.pid").write_text(str(self.pid))

    @classmethod
    def start(cls, command: Sequence[str], *, folder: Path, name: str) -> Part:
        """A part that ends with this process, whichever thread asks for it."""
        return _STARTER.submit(cls, command, folder=folder, name=name).result()

    @property
    def running(self) -> bool:
        return self.exit_code is None

    def pause(self) -> None:
        """It keeps its connections and answers nothing, until `resume`."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.send(signal.SIGCONT)


class Janitor:
    """Ends what runs in `folder` when this process dies, and removes the folder unless it is to be kept."""

    def __init__(self, folder: Path, *, keep: bool) -> None:
        command = [*_PYTHON, str(_HERE / "janitor.py"), str(folder), *(["--keep"] if keep else [])]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)  # noqa: S603 - our own file

    def dismiss(self) -> None:
        """Let it do its work now, and wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
