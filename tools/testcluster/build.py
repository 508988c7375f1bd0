"""Builds what `recipe.py` lists into the cache, for `make testcluster`, with the `go` command.

A cold build compiles for many minutes, so it says at least every 20 seconds how far it is. A folder appears in the
cache whole or not at all: it is built beside its place and moved there at the end, by one process at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from tools.testcluster.process import bound
from tools.testcluster.recipe import CONTROL_PLANE, MODULES, PROGRAMS, ROOT, Module, Program, cache_folder

__all__ = ["BuildFailed", "build"]

_PROGRESS_SECONDS: Final = 20.0
_GO: Final = "go1.26"
_NO_GO: Final = f"""\
the test cluster is built from Go modules, and there is no `go` on the PATH.
Install Go ({_GO} or later) and run `make testcluster` again. Without it, tests that need a cluster accept
KUBEBUILDER_ASSETS=FOLDER with ready programs, or KUBECONFIG=FILE with LMOS_TEST_CLUSTER=1 for a running cluster."""


class BuildFailed(Exception):
    """What could not be built, with the end of what `go` said."""


def build() -> Path:
    """The folder of the built cluster; returns at once where it is there. Raises `BuildFailed`."""
    folder = cache_folder()
    if folder.is_dir():
        return folder
    go = shutil.which("go")
    if go is None:
        raise BuildFailed(_NO_GO)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.parent / "lock"):
        if folder.is_dir():  # the one that we waited for has built it
            return folder
        for rest in folder.parent.glob("*.partial"):
            shutil.rmtree(rest)
        partial = Path(tempfile.mkdtemp(suffix=".partial", dir=folder.parent))
        partial.chmod(0o755)
        try:
            _fill(go, partial)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def _fill(go: str, folder: Path) -> None:
    for module in MODULES:
        (folder / module.data.file).write_text(_data(go, module))
    (folder / "bin").mkdir()
    for program in PROGRAMS:
        _compile(go, program, folder / "bin" / program.name)
    for name in CONTROL_PLANE:
        (folder / "bin" / name).symlink_to(PROGRAMS[0].name)


def _data(go: str, module: Module) -> str:
    """The documents of `module.data`, as one YAML stream."""
    at = f"{module.path}@{module.version}"
    download = [go, "mod", "download", "-json", at]
    with _progress(at, []):
        answer = subprocess.run(  # noqa: S603 - the go command
            download, cwd=tempfile.gettempdir(), stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True
        )
    found = json.loads(answer.stdout or "{}")
    if answer.returncode != 0:
        raise BuildFailed(f"{at}: {found.get('Error') or answer.stderr.strip()}")
    if found["Sum"] != module.sum:
        raise BuildFailed(f"{at}: its checksum is {found['Sum']}, recipe.py expects {module.sum}")
    with zipfile.ZipFile(found["Zip"]) as archive:
        return "---\n".join(archive.read(f"{at}/{path}").decode() for path in module.data.paths)


def _compile(go: str, program: Program, target: Path) -> None:
    flags = ["-s", "-w", *(f"-X {name}={value}" for name, value in program.variables.items())]
    command = [go, "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", " ".join(flags)]
    with subprocess.Popen(  # noqa: S603 - the go command
        bound([*command, "-o", str(target), program.package]),
        cwd=ROOT / program.folder,
        env=os.environ | {"CGO_ENABLED": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        lines: list[str] = []
        with _progress(program.name, lines):
            assert process.stderr is not None
            lines.extend(process.stderr)
    if process.returncode != 0:
        raise BuildFailed(f"{program.name}: go build failed\n{''.join(lines[-20:]).rstrip()}")


@contextmanager
def _progress(what: str, lines: list[str]) -> Generator[None]:
    """Tells how far the build of `what` is, from the lines that `go build -v` has written by now."""
    start, done = time.monotonic(), threading.Event()

    def tell() -> None:
        while not done.wait(_PROGRESS_SECONDS):
            downloads = sum(line.startswith("go: ") for line in lines)
            last = f", last {lines[-1].removeprefix('go: ').strip()}" if lines else ""
            counts = f"{downloads} modules downloaded, {len(lines) - downloads} packages compiled"
            _say(f"{what}: {time.monotonic() - start:.0f} s, {counts}{last}")

    _say(f"{what}: begun")
    teller = threading.Thread(target=tell)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
    _say(f"{what}: done in {time.monotonic() - start:.0f} s")


@contextmanager
def _alone(lock: Path) -> Generator[None]:
    """One build at a time, whoever started it. The lock goes with its process, so none is ever stale."""
    with lock.open("w") as file:
        while not _locked(file):
            _say("another build is under way; waiting for it")
            for _ in range(int(_PROGRESS_SECONDS)):
                time.sleep(1)
                if _locked(file):
                    break
        yield


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say(text: str) -> None:
    sys.stdout.write(f"testcluster: {text}\n")
    sys.stdout.flush()
