"""The real `lmos` command for the demo: one temporary data folder for all of it, children ended by their id."""

from __future__ import annotations

import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from lmos.testing.processes import LmosProcess, run_lmos

__all__ = ["DemoFailed", "Lmos"]


class DemoFailed(Exception):
    """Something did not go as it should; the message is for people."""


class Lmos:
    """The command `lmos` on a data folder in `folder`. A context manager: its end ends every child."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._settings = {
            "LMOS_DATA": str(folder / "data"),
            "ACME_DATABASE": str(folder / "acme.db"),
            "COLUMNS": "80",
        }
        self.children: dict[str, LmosProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A second Ctrl-C must not leave a child behind.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for child in self.children.values():
            child.send(signal.SIGTERM)
        for child in self.children.values():
            child.stop()

    def run(self, *words: str, stdin: str = "") -> str:
        """Run a command to its end and give what it printed. Raises `DemoFailed` when it fails."""
        done = run_lmos(*words, folder=self._folder, settings=self._settings, stdin=stdin)
        if done.returncode != 0:
            raise DemoFailed(f"lmos {' '.join(words)} ended with code {done.returncode}\n{done.stderr.strip()}")
        return done.stdout

    def start(self, name: str, *words: str) -> LmosProcess:
        """Start a command that stays, as the child `name`."""
        self.children[name] = LmosProcess(*words, folder=self._folder, name=name, settings=self._settings)
        return self.children[name]
