"""Real processes in tests: started with their output in files, found by the address they print, ended by their id.

    with LmosProcess("up", "--port", "0", "--data", "data", folder=tmp_path) as platform:
        url = platform.ready()

For what no in-process platform can show: a crash, a signal, two processes on one data folder. Uses the standard
library alone, so that starting a process costs its parent nothing.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

__all__ = ["LMOS", "ChildProcess", "LmosProcess", "ProcessFailed", "answers", "free_port", "run_lmos", "until"]

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0

_ADDRESS: Final = re.compile(r"http://(?:127\.0\.0\.1|localhost):\d+")
LMOS: Final = str(Path(sys.executable).with_name("lmos"))
"""The command of this installation."""


class ProcessFailed(Exception):
    """A process ended, or did not do in time what was waited for. The message holds the end of its output."""


def until(done: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Wait until `done()`. Raises `ProcessFailed` naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise ProcessFailed(f"{what}: not within {seconds:g} seconds")
        time.sleep(0.01)


def answers(url: str) -> bool:
    """Whether a GET of `url` is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - the caller's own process
            return response.status == 200
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now. Where a command takes port 0, that is surer."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class ChildProcess:
    """`command`, running from construction on; `out` and `err` are what it has written so far.

    A context manager: its end ends the process. `folder` gets its output, in files named after `name`; the process
    works there too, unless `cwd` says otherwise.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        name: str = "process",
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(  # noqa: S603 - what the caller wants run
                command, cwd=cwd or folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """`None` while it runs; minus the signal's number when a signal ended it."""
        return self._process.poll()

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8", errors="replace")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8", errors="replace")

    def last_lines(self, count: int = 20) -> str:
        """The end of what it wrote, errors last."""
        return "\n".join([*self.out.splitlines(), *self.err.splitlines()][-count:])

    def until(self, done: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
        """Wait until `done()`. Raises `ProcessFailed`, at once when the process ends."""
        ended = False

        def done_or_ended() -> bool:
            nonlocal ended
            ended = self.exit_code is not None
            return done() or ended

        try:
            until(done_or_ended, what, seconds)
        except ProcessFailed as error:
            raise ProcessFailed(f"{self.name}: {error}\n{self.last_lines()}") from None
        if ended and not done():
            raise ProcessFailed(f"{self.name} ended with {self.exit_code} before {what}\n{self.last_lines()}")

    def address(self) -> str:
        """The first loopback base URL that it printed. Raises `ProcessFailed` if it ends or stays silent."""
        self.until(lambda: _ADDRESS.search(self.out) is not None, "printing its address")
        found = _ADDRESS.search(self.out)
        assert found is not None
        return found.group()

    def answering(self, url: str) -> str:
        """`url`, once a GET of it is answered with 200. Raises `ProcessFailed`."""
        self.until(lambda: answers(url), f"answering {url}")
        return url

    def send(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.exit_code is None:
            self._process.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Its exit code. Raises `ProcessFailed` if it does not end in time."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProcessFailed(f"{self.name} did not end within {seconds:g} seconds\n{self.last_lines()}") from None

    def kill(self) -> None:
        """End it as a crash would: no signal handler runs."""
        self.send(signal.SIGKILL)
        self._process.wait()

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """Ask it to end, wait, and end it if it does not. Gives its exit code."""
        self.send(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()


class LmosProcess(ChildProcess):
    """The command `lmos` with `words`. Of the caller's `LMOS_*` variables it sees none, only `settings`."""

    def __init__(
        self, *words: str, folder: Path, name: str = "lmos", settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__([LMOS, *words], folder=folder, name=name, environment=_environment(settings))

    def ready(self) -> str:
        """Its base URL, once `/readyz` says that it is ready. Raises `ProcessFailed`."""
        url = self.address()
        self.answering(f"{url}/readyz")
        return url


def run_lmos(
    *words: str,
    folder: Path,
    settings: Mapping[str, str] | None = None,
    stdin: str = "",
    seconds: float = START_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run the command `lmos` in `folder` to its end, whatever its exit code."""
    return subprocess.run(  # noqa: S603 - our own command
        [LMOS, *words],
        check=False,
        cwd=folder,
        env=_environment(settings),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def _environment(settings: Mapping[str, str] | None) -> dict[str, str]:
    """The same everywhere: none of the caller's settings, no colours, lines of one width, output unbuffered."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LMOS_")}
    return inherited | {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"} | dict(settings or {})
