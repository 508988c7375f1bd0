"""`make testcluster` with a `go` that records its calls instead of compiling."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmos.testing.processes import ChildProcess, until
from tests.cluster.processes import alive
from tools.testcluster.build import BuildFailed, build
from tools.testcluster.recipe import CONTROL_PLANE, MODULES, PROGRAMS, ROLLOUTS, STAGES, cache_folder

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "testcluster"

# Answers downloads from modules.json; compiles by writing a line. It fails on helm if there is a file `fail`, and waits
# there for as long as there is one named `hang`.
GO = f"""\
#!{sys.executable}
import json, os, sys, time
from pathlib import Path

here, words = Path(__file__).parent, sys.argv[1:]
(here / "pid").write_text(str(os.getpid()))
with (here / "calls").open("a") as calls:
    calls.write(" ".join(words) + "\\n")
if words[0] == "mod":
    print(json.dumps(json.loads((here / "modules.json").read_text())[words[-1]]))
    sys.exit()
target = Path(words[words.index("-o") + 1])
while (here / "hang").exists() and target.name == "helm":
    time.sleep(0.02)
if (here / "fail").exists() and target.name == "helm":
    sys.exit("helm.go:1: unexpected end of the world")
target.write_text("compiled\\n")
"""


class Go:
    """The fake `go` in `folder`, alone on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[str, dict[str, str]] = {}
        for module in MODULES:
            at = f"{module.path}@{module.version}"
            archive = folder / f"{module.data.file}.zip"
            with zipfile.ZipFile(archive, "w") as file:
                for path in module.data.paths:
                    file.writestr(f"{at}/{path}", f"name: {path}\n")
            self.answers[at] = {"Sum": module.sum, "Zip": str(archive)}
        (folder / "go").write_text(GO)
        (folder / "go").chmod(0o755)
        self.tell()

    def tell(self) -> None:
        """Answer from `answers` as they are now."""
        (self.folder / "modules.json").write_text(json.dumps(self.answers))

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Go]:
    (tmp_path / "go").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "go"))
    yield Go(tmp_path / "go")
    (tmp_path / "go" / "hang").unlink(missing_ok=True)


def test_all_programs_and_data_are_in_the_cache(go: Go, cache: Path) -> None:
    assert build() == cache

    names = {path.name for path in (cache / "bin").iterdir()}
    assert names == {*(program.name for program in PROGRAMS), *CONTROL_PLANE}
    assert all(os.access(cache / "bin" / name, os.F_OK) for name in names)
    assert (cache / ROLLOUTS).read_text() == "name: manifests/crds/rollout-crd.yaml\n"
    assert (cache / STAGES).read_text().count("---\n") == 4


def test_what_is_in_the_cache_is_not_built_again(go: Go) -> None:
    build()
    calls = go.calls

    build()

    assert len(calls) == len(PROGRAMS) + len(MODULES)
    assert go.calls == calls


def test_the_cache_needs_no_go(go: Go, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build()
    monkeypatch.setenv("PATH", "")

    assert build() == cache


def test_a_missing_go_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(BuildFailed, match=r"(?s)no `go` on the PATH.*Install Go"):
        build()


def test_a_failed_build_shows_why_and_leaves_no_cache(go: Go, cache: Path) -> None:
    (go.folder / "fail").touch()

    with pytest.raises(BuildFailed, match=r"helm: go build failed\nhelm\.go:1: unexpected end of the world"):
        build()

    assert [path.name for path in cache.parent.iterdir()] == ["lock"]


def test_a_module_with_another_checksum_is_refused(go: Go, cache: Path) -> None:
    at = next(iter(go.answers))
    go.answers[at]["Sum"] = "h1:forged"
    go.tell()

    with pytest.raises(BuildFailed, match=f"{at}: its checksum is h1:forged, recipe.py expects h1:"):
        build()

    assert not cache.exists()


def test_a_killed_build_leaves_no_cache_and_the_next_one_cleans_up(go: Go, cache: Path, tmp_path: Path) -> None:
    (go.folder / "hang").touch()
    with ChildProcess([sys.executable, "-m", "tools.testcluster", "build"], folder=tmp_path, cwd=ROOT) as first:
        first.until(lambda: any("-o" in call and "helm" in call for call in go.calls), "building helm")
        first.send(signal.SIGKILL)
        first.wait()
    compiler = int((go.folder / "pid").read_text())
    until(lambda: not alive(compiler), "the end of the compiler", seconds=10)
    assert not cache.exists()

    (go.folder / "hang").unlink()
    build()

    assert {path.name for path in cache.parent.iterdir()} == {"lock", cache.name}


def test_a_second_build_waits_for_the_first(go: Go, tmp_path: Path) -> None:
    (go.folder / "hang").touch()
    command = [sys.executable, "-m", "tools.testcluster", "build"]
    with (
        ChildProcess(command, folder=tmp_path, name="first", cwd=ROOT) as first,
        ChildProcess(command, folder=tmp_path, name="second", cwd=ROOT) as second,
    ):
        first.until(lambda: "helm: begun" in first.out + second.out, "building helm")
        both = first, second
        first.until(lambda: any("another build is under way" in one.out for one in both), "the other one waiting")
        calls = go.calls

    assert len(calls) == len(set(calls))


def test_every_clone_shares_the_cache(cache: Path, tmp_path: Path) -> None:
    clone = shutil.copytree(TOOL, tmp_path / "clone")

    assert cache_folder(clone) == cache


@pytest.mark.parametrize("file", ["main.go", "go.sum", "kwok/go.mod", "helm/go.sum"])
def test_a_changed_source_has_a_cache_of_its_own(cache: Path, tmp_path: Path, file: str) -> None:
    clone = shutil.copytree(TOOL, tmp_path / "clone")
    with (clone / file).open("a") as text:
        text.write("\n")

    assert cache_folder(clone) != cache
