"""Starts, runs and ends the real `lmos` command for the demo: one temporary data folder, children ended by their id."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

__all__ = ["Child", "DemoFailed", "Lmos", "answers", "until"]

_START_SECONDS = 30.0
_COMMAND_SECONDS = 30.0
_STOP_SECONDS = 8.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


class DemoFailed(Exception):
    """Something did not go as it should; the message is for people."""


def until(done: Callable[[], bool], what: str, seconds: float = _START_SECONDS) -> None:
    """Wait until `done()`. Raises `DemoFailed` naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise DemoFailed(f"{what}: not within {seconds:.0f} seconds")
        time.sleep(0.05)


class Child:
    """A long-running `lmos` process, whose output goes to a file."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    def address(self) -> str:
        """The base URL that the process prints when it listens. Raises `DemoFailed` if it ends or stays silent."""

        def printed() -> bool:
            if self._process.poll() is not None:
                raise DemoFailed(f"{self.name} ended with code {self._process.returncode}\n{self.last_lines()}")
            return _ADDRESS.search(self._output()) is not None

        until(printed, f"{self.name} printing its address")
        found = _ADDRESS.search(self._output())
        assert found is not None
        return found.group()

    def last_lines(self, count: int = 8) -> str:
        return "\n".join(self._output().splitlines()[-count:])

    def ask_to_stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()

    def stop(self) -> None:
        """Ask the process to end, wait, and end it if it does not."""
        self.ask_to_stop()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _output(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")


class Lmos:
    """The command `lmos` on the data folder `folder`. A context manager: its end ends every child."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._command = Path(sys.executable).with_name("lmos")
        # The demo is the same everywhere: it takes no setting from the caller's environment.
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("LMOS_")} | {
            "LMOS_DATA": str(folder / "data"),
            "ACME_DATABASE": str(folder / "acme.db"),
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "80",
            "NO_COLOR": "1",
        }
        self.children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A second Ctrl-C must not leave a child behind.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for child in self.children.values():
            child.ask_to_stop()
        for child in self.children.values():
            child.stop()

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a command to its end and give what it printed. Raises `DemoFailed` when it fails."""
        done = subprocess.run(
            [str(self._command), *arguments],
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
            env=self._environment,
            timeout=_COMMAND_SECONDS,
        )
        if done.returncode != 0:
            raise DemoFailed(f"lmos {' '.join(arguments)} ended with code {done.returncode}\n{done.stderr.strip()}")
        return done.stdout

    def start(self, name: str, *arguments: str) -> Child:
        """Start a command that stays, as the child `name`."""
        log = self._folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(self._command), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )
        self.children[name] = Child(name, process, log)
        return self.children[name]


def answers(url: str) -> bool:
    """Whether a GET of `url` is answered with 200."""
    try:
        return httpx2.get(url, timeout=2).status_code == 200
    except httpx2.TransportError:
        return False
