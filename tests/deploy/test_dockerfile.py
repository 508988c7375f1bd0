"""The Dockerfile keeps its promises, as far as its text shows: pinned, not root, no shell at run time, small context.

Where there is an engine, `.ci/run` builds the image.
"""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import Final

import yaml

from tests.deploy.chart import CHART
from tests.deploy.dockerfile import stages_of
from tests.docs.pages import ROOT

_FOLDER: Final = ROOT / "deploy/docker"
_TEXT: Final = (_FOLDER / "Dockerfile").read_text()
_STAGES: Final = stages_of(_TEXT)
_FINAL: Final = _STAGES[-1]
_VALUES: Final = yaml.safe_load((CHART / "values.yaml").read_text())


def test_each_stage_begins_with_an_image_of_a_named_version() -> None:
    assert [
        stage.base for stage in _STAGES if not re.search(r":\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$", stage.base)
    ] == []


def test_the_image_runs_as_the_user_of_the_charts_pods() -> None:
    context = _VALUES["podSecurityContext"]
    assert _FINAL.only("USER").words == [f"{context['runAsUser']}:{context['runAsGroup']}"]
    assert context["runAsUser"] > 0


def test_no_shell_stands_between_kubernetes_and_the_command() -> None:
    assert _FINAL.only("ENTRYPOINT").words == ["lmos"]
    assert _FINAL.only("ENTRYPOINT").exec_form
    assert _FINAL.of("CMD") == []


def test_the_final_stage_runs_nothing_and_takes_only_what_was_built() -> None:
    assert _FINAL.of("RUN") == []
    assert [copy.flags.get("from") for copy in _FINAL.of("COPY")] == ["build"]


def test_whatever_is_installed_is_held_against_hashes() -> None:
    installs = [run.text for stage in _STAGES for run in stage.of("RUN") if "pip install" in run.text]
    by_hash = [text for text in installs if "--require-hashes" in text or "--constraint requirements.lock" in text]
    assert installs == by_hash
    for lock in ("deploy/docker/build.lock", "requirements.lock"):
        pins = re.findall(r"^\S+==\S+.*\n(.*)$", (ROOT / lock).read_text(), re.MULTILINE)
        assert pins
        assert all("--hash=sha256:" in line for line in pins)


def test_nothing_is_fetched_beside_packages() -> None:
    assert [word for word in ("ADD ", "curl", "wget", "git ", "apt-get", "http:", "https:") if word in _TEXT] == []


def test_what_is_copied_is_there_and_is_let_into_the_context() -> None:
    copied = [
        source
        for stage in _STAGES
        for copy in stage.of("COPY")
        if "from" not in copy.flags
        for source in copy.words[:-1]
    ]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert [source for source in copied if not _in_context(source)] == []
    assert not _in_context(".env")
    assert not _in_context(".git/config")


def test_the_ports_are_those_of_the_chart() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").glob("*-deployment.yaml"))
    assert set(_FINAL.only("EXPOSE").words) == set(re.findall(r"containerPort: (\d+)", templates))


def test_the_build_lock_pins_what_the_build_needs() -> None:
    wanted = re.findall(r"^([a-z]+)>=", (_FOLDER / "build.in").read_text(), re.MULTILINE)
    pinned = re.findall(r"^([\w-]+)==", (_FOLDER / "build.lock").read_text(), re.MULTILINE)
    assert set(wanted) <= set(pinned)


def _in_context(path: str) -> bool:
    """Whether the ignore file lets `path` through: the last line that matches decides."""
    let_in = True
    for line in (_FOLDER / "Dockerfile.dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and (fnmatch(path, pattern) or path.startswith(f"{pattern}/")):
            let_in = line.startswith("!")
    return let_in
