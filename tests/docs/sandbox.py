"""Runs what a page shows: its files are written to a folder, its Python executed, its commands run for real.

`lmos` commands run in this process; those that stay (`lmos up`, `lmos agent run`) in one of their own, on a free port
that takes the place of the port that the page shows. Shown output is compared, except for times, ages, ids and scores.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import yaml

from lmos.cli.main import main
from lmos.operator.workloads import Deployment, Rollout, Service
from lmos.resources.loader import ManifestError, load
from lmos.testing import LmosProcess
from tests.docs.pages import ROOT, Fence

__all__ = ["NOT_RUN", "Command", "Sandbox", "as_shown", "commands_of"]

NOT_RUN = {
    "pip": "downloads",
    "kubectl": "needs a cluster",
    "helm": "needs a cluster",
    "docker": "needs an engine",
}
"""Commands that a page may show and that are not run, each with the reason. A pipe into one runs up to it.

Those of the guide to Kubernetes are run by `tests/deploy`; those of the guide to channels, and `lmos` on a cluster, by
`tests/cluster/test_declare_channels.py`.
"""

_PYTEST_SECONDS = 60
_GREETED = re.compile(r"^ +(lmos chat|try)\b|There is no channel", re.MULTILINE)
_PORTS = {"up": 8080, "agent": 8090}
_MAKE_TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

_FOREIGN = {model.KIND: model for model in (Deployment, Rollout, Service)}
"""Kinds of Kubernetes that a page may show; `tests/cluster` applies those of the guides to a cluster."""

_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?"), "<time>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\b(try|chat)-[0-9a-f]+"), r"\1-<id>"),
    (re.compile(r"(?<![\w.-])\d+(\.\d+)? ?(s|ms|m|h|d)\b"), "<duration>"),
    (re.compile(r"(?<![\d.])[01]\.\d\d(?![\d.])"), "<score>"),
    (re.compile(r"\d+ ?%"), "<percent>"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Command:
    """A command line of a fence, and what the page shows as its output."""

    line: str
    output: str


def commands_of(fence: Fence) -> list[Command]:
    """`$ ` begins a command of a `console` fence, its output follows; in `bash` each line is a command."""
    found: list[list[str]] = []
    continued = False
    for line in fence.body.splitlines():
        if continued:
            found[-1][0] += "\n" + line
        elif fence.language == "console" and not line.startswith("$ "):
            if not found:
                raise AssertionError(f"{fence.place}: output before the first command")
            found[-1].append(line)
            continue
        elif line.strip() and not line.startswith("#"):
            found.append([line.removeprefix("$ ")])
        continued = line.endswith("\\")
    return [Command(command.replace("\\\n", " "), "\n".join(output).strip()) for command, *output in found]


@dataclass
class Sandbox:
    """One page's folder, names, environment and running platforms. Use as a context."""

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__page__"})
    exit_code: int = 0
    _environment: dict[str, str] = field(default_factory=dict[str, str])
    _running: dict[str, LmosProcess] = field(default_factory=dict[str, LmosProcess])
    _ports: dict[int, int] = field(default_factory=dict[int, int])

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exc: object) -> None:
        for kind in list(self._running):
            self._stop(kind)

    def run(self, fence: Fence) -> None:
        """Do what `fence` says. Raises `AssertionError` when it does not work as shown."""
        if fence.title is not None:
            self._write(fence.title, fence.body)
        match fence.language:
            case "python":
                self._python(fence)
            case "yaml":
                self._yaml(fence)
            case "json":
                json.loads(fence.body)
            case "console" | "bash":
                for command in commands_of(fence):
                    self._command(fence, command)
            case "text":
                pass
            case other:
                raise AssertionError(f"{fence.place}: nobody knows how to check language {other!r}")

    def _write(self, title: str, body: str) -> None:
        path = self.folder / title
        assert path.resolve().is_relative_to(self.folder.resolve()), title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._with_real_ports(body))

    def _python(self, fence: Fence) -> None:
        """A test module is run by the page's own `pytest` command; everything else runs here."""
        if fence.title is not None and (fence.title.startswith("test_") or fence.title == "conftest.py"):
            compile(fence.body, fence.place, "exec")
            return
        with self._here(), contextlib.redirect_stdout(io.StringIO()):
            exec(compile("\n" * fence.line + fence.body, fence.place, "exec"), self.names)

    def _yaml(self, fence: Fence) -> None:
        documents = [document for document in yaml.safe_load_all(fence.body) if document is not None]
        if not any("apiVersion" in document for document in documents):
            return
        if all(document["kind"] in _FOREIGN for document in documents):
            for document in documents:
                _FOREIGN[document["kind"]].model_validate(document)
            return
        wrong = fence.title is not None and fence.title.startswith("wrong")
        with pytest.raises(ManifestError) if wrong else contextlib.nullcontext():
            load(["-"], stdin=io.StringIO(fence.body))

    def _command(self, fence: Fence, command: Command) -> None:
        words = shlex.split(command.line, comments=True)
        if words[0] in NOT_RUN or "--cluster" in words:
            return
        environment: dict[str, str] = {}
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        if "|" in words:
            assert words[words.index("|") + 1] in NOT_RUN, f"{fence.place}: {command.line}"
            words = words[: words.index("|")]
        with self._here(environment):
            output = self._execute(fence, words)
        told = f"{fence.place}: `{command.line}` ends with {self.exit_code}:\n{output}"
        assert self.exit_code == 0 or command.output or words[:2] == ["lmos", "plan"], told
        assert "Traceback" not in output, told
        assert "unexpected" not in output, told
        if command.output:
            assert as_shown(command.output, self._with_shown_ports(output)), (
                f"{fence.place}: `{command.line}` shows\n{command.output}\nbut says\n{output}"
            )

    def _execute(self, fence: Fence, words: list[str]) -> str:
        match words:
            case ["lmos", "up", *_]:
                return self._start("up", words)
            case ["lmos", "agent", "run", *_]:
                return self._start("agent", words)
            case ["lmos", *arguments]:
                return self._lmos(arguments)
            case ["echo", "$?"]:
                return str(self.exit_code)
            case ["export", pair]:
                name, _, value = pair.partition("=")
                self._environment[name] = value
            case ["make", *targets]:
                assert set(targets) <= _MAKE_TARGETS, f"{fence.place}: the Makefile has no target {targets}"
            case ["curl", *arguments]:
                return self._curl(arguments)
            case ["pytest", *arguments]:
                return self._pytest(fence, arguments)
            case _:
                raise AssertionError(f"{fence.place}: nobody knows how to run {shlex.join(words)!r}")
        return ""

    def _lmos(self, arguments: list[str]) -> str:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            self.exit_code = main([self._with_real_ports(argument) for argument in arguments])
        return output.getvalue()

    def _curl(self, arguments: list[str]) -> str:
        """The few of curl's options that pages use."""
        headers: dict[str, str] = {}
        data: str | None = None
        urls: list[str] = []
        rest = iter(arguments)
        for argument in rest:
            if argument in ("-H", "--header"):
                name, _, value = next(rest).partition(":")
                headers[name] = value.strip()
            elif argument in ("-d", "--data"):
                data = next(rest)
            elif argument not in ("-s", "-N", "-sN"):
                urls.append(self._with_real_ports(argument))
        response = httpx2.request("GET" if data is None else "POST", *urls, content=data, headers=headers)
        return response.text

    def _pytest(self, fence: Fence, arguments: list[str]) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:looptime_plugin", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PYTEST_SECONDS,
        )
        assert done.returncode == 0, f"{fence.place}: {done.stdout}{done.stderr}"
        return done.stdout

    def _start(self, kind: str, words: list[str]) -> str:
        """Start a command that stays, and give what it prints until it is ready."""
        if kind in self._running:
            self._stop(kind)
        settings = {name: value for name, value in os.environ.items() if name.startswith("LMOS_")}
        settings.pop("LMOS_PORT", None)
        process = LmosProcess(*words[1:], "--port", "0", folder=self.folder, name=kind, settings=settings)
        self._running[kind] = process
        port = urlsplit(process.ready()).port
        assert port is not None
        # The greeting comes after readiness and ends with a line to try.
        process.until(lambda: _GREETED.search(process.out) is not None, "greeting")
        self._ports[_PORTS[kind]] = port
        if kind == "up":
            self._environment["LMOS_PORT"] = str(port)
        return process.out

    def _stop(self, kind: str) -> None:
        process = self._running.pop(kind)
        assert process.stop() == 0, process.last_lines()
        assert "Traceback" not in process.err, process.err

    @contextlib.contextmanager
    def _here(self, environment: Mapping[str, str] | None = None) -> Generator[None]:
        """The page's folder and environment."""
        before = dict(os.environ)
        inherited = {name for name in os.environ if name.startswith("LMOS_")}
        try:
            for name in inherited:
                del os.environ[name]
            os.environ.update({"COLUMNS": "120", "NO_COLOR": "1", **self._environment, **(environment or {})})
            with contextlib.chdir(self.folder):
                yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def _with_real_ports(self, text: str) -> str:
        for shown, real in self._ports.items():
            text = re.sub(rf":{shown}\b", f":{real}", text)
        return text

    def _with_shown_ports(self, text: str) -> str:
        for shown, real in self._ports.items():
            text = re.sub(rf":{real}\b", f":{shown}", text)
        return text


def as_shown(shown: str, actual: str) -> bool:
    """Whether a command says what its page shows, but for times, ages, ids, scores and what `...` leaves out."""
    return re.fullmatch(_elided(_comparable(shown)), _comparable(actual)) is not None


def _comparable(text: str) -> str:
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    return text.strip()


def _elided(shown: str) -> str:
    """A pattern for what a page shows: `...` between blanks stands for anything."""
    words = [".*" if word == "..." else re.escape(word) for word in shown.split(" ")]
    return re.sub(r" ?\.\* ?", ".*", " ".join(words))
