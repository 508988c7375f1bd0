"""Real `lmos` processes under measurement: started on free ports, ready when they say so, ended by process id."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

LMOS = str(Path(sys.executable).parent / "lmos")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextmanager
def running(command: Sequence[str], ready_url: str, log: Path, seconds: float = 30) -> Generator[psutil.Process]:
    """`command` as a process, from the moment `ready_url` answers 200; terminated at the end."""
    environment = {**os.environ, "LMOS_LOG_LEVEL": "error"}
    with log.open("wb") as output:
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait_for(ready_url, child, log, seconds)
            yield psutil.Process(child.pid)
        finally:
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _wait_for(url: str, child: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if child.poll() is not None:
            raise RuntimeError(f"the process ended with {child.returncode}:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.01)
    raise RuntimeError(f"{url} did not answer 200 within {seconds} s:\n{log.read_text()}")


def cpu_seconds(process: psutil.Process) -> float:
    """User and system CPU seconds of the process and its ended children so far."""
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system
