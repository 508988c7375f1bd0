"""Manifests from files, folders and standard input: read, checked, and all problems told at once.

`lmos apply`, `plan` and `up` load with it. It keeps nothing and asks no store. Agents written in Python join through a
callback, since this room knows no agent SDK.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import IO, Any, cast

from pydantic import ValidationError

from lmos.resources import yaml_tree
from lmos.resources.agent import Agent
from lmos.resources.base import API_VERSION, Resource, ResourceKey
from lmos.resources.kinds import KINDS
from lmos.resources.manifest_errors import ManifestError, did_you_mean, explain, node_at, stand_in
from lmos.resources.schema import schema_at, schema_of
from lmos.resources.validation import Place, Problem, validate

__all__ = ["Loaded", "ManifestError", "PythonAgents", "load"]

# Larger than any reasonable set of manifests, small enough to hold in memory several times.
MAX_FILE = 64 * 1024 * 1024

_SUFFIXES = (".yaml", ".yml")
_PYTHON = ".agent.py"
_STDIN = "-"
_KINDS = {kind.kind: kind for kind in KINDS}

PythonAgents = Callable[[Path], list[Agent]]
"""The agents that a `*.agent.py` file defines, as resources. What is wrong with it comes as `ManifestError`."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A resource, where it stands (`file:line`), and what about it is legal but surely not meant."""

    resource: Resource
    source: str
    warnings: tuple[Problem, ...] = ()


def load(
    paths: Sequence[str | Path],
    *,
    default_namespace: str = "default",
    stdin: IO[bytes] | IO[str] | None = None,
    python_agents: PythonAgents | None = None,
) -> list[Loaded]:
    """All resources of `paths`, in order: files, folders (`*.yaml`, `*.yml`, `*.agent.py`; not their subfolders, as
    kubectl does), `-` for `stdin` (default: the process's own).

    A file may hold several documents and `kind: List`. Resources without a namespace get `default_namespace`. Raises
    `ManifestError` with every problem of every file; `[]` comes only of no `paths`.
    """
    loading = _Loading(default_namespace, python_agents)
    for path in paths:
        if str(path) == _STDIN:
            loading.text("stdin", _read(stdin or sys.stdin.buffer))
        else:
            loading.path(Path(path))
    if paths and not loading.loaded and not loading.problems:
        names = ", ".join(map(str, paths))
        fix = f"write at least one document with apiVersion: {API_VERSION} and a kind"
        loading.problems.append(Problem((), None, "nothing to load: there is no resource", fix, place=Place(names)))
    if loading.problems:
        raise ManifestError(loading.problems)
    return loading.loaded


@dataclass(slots=True)
class _Loading:
    """One call of `load`: what it has found so far."""

    default_namespace: str
    python_agents: PythonAgents | None
    loaded: list[Loaded] = field(default_factory=list[Loaded])
    problems: list[Problem] = field(default_factory=list[Problem])
    _places: dict[ResourceKey, Place] = field(default_factory=dict[ResourceKey, Place])
    _read: set[Path] = field(default_factory=set[Path])

    def path(self, path: Path) -> None:
        if not path.is_dir():
            self._file(path)
            return
        files = sorted(p for p in path.iterdir() if p.name.endswith((*_SUFFIXES, _PYTHON)) and not p.is_dir())
        if not files:
            fix = f"name a folder that directly holds *.yaml, *.yml or *{_PYTHON}"
            self._fail(Place(str(path)), "the folder has no manifest", fix)
        for file in files:
            self._file(file)

    def text(self, file: str, content: bytes | str) -> None:
        """Documents of one file."""
        text = self._decoded(file, content)
        if text is None:
            return
        for document in yaml_tree.documents(text, file):
            if document.problems:
                self.problems.extend(document.problems)
            elif document.root is not None:
                self._object(document, document.root)

    def _file(self, path: Path) -> None:
        try:
            resolved = path.resolve(strict=True)
            if resolved in self._read:
                return
            self._read.add(resolved)
            content = None if path.name.endswith(_PYTHON) else _content(path)
        except (OSError, ValueError) as error:
            # ValueError: a path with a null character.
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._fail(Place(str(path)), f"cannot be read: {reason}", "check the path and its permissions")
            return
        if content is None:
            self._python(path)
        else:
            self.text(str(path), content)

    def _python(self, path: Path) -> None:
        if self.python_agents is None:
            self._fail(Place(str(path)), "agents in Python cannot be loaded here", "name YAML manifests only")
            return
        try:
            agents = self.python_agents(path)
        except ManifestError as error:
            self.problems.extend(error.problems)
            return
        for agent in agents:
            self._keep(agent, Place(str(path)), [problem.at(Place(str(path))) for problem in validate(agent)])

    def _decoded(self, file: str, content: bytes | str) -> str | None:
        if len(content) > MAX_FILE:
            self._fail(Place(file), f"is larger than {MAX_FILE} bytes", "split it into several files")
            return None
        if isinstance(content, bytes):
            try:
                content = content.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                before = content[: error.start]
                place = Place(file, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
                self._fail(place, f"is no UTF-8: byte 0x{content[error.start]:02x}", "save the file as UTF-8")
                return None
        if bad := yaml_tree.UNPRINTABLE.search(content):
            before = content[: bad.start()]
            place = Place(file, before.count("\n") + 1, bad.start() - before.rfind("\n"))
            self._fail(place, f"contains the control character {bad[0]!r}", "remove it")
            return None
        return content

    def _object(self, document: yaml_tree.Document, root: yaml_tree.Node) -> None:
        """One object of a document: a resource, or a `List` of them."""
        data: Any = document.data(root)
        self.problems.extend(document.problems)
        if isinstance(root, yaml_tree.Mapping) and (data.get("apiVersion"), data.get("kind")) == ("v1", "List"):
            self._list(root, data)
        elif not isinstance(root, yaml_tree.Scalar) or root.type != "null":
            self._resource(root, data)

    def _list(self, root: yaml_tree.Mapping, data: dict[str, Any]) -> None:
        _, items = root.entries.get("items", (None, None))
        if not isinstance(items, yaml_tree.Sequence):
            self._fail(root.place, "the List has no list of items", "add 'items:' with a list of resources")
            return
        for node, item in zip(items.items, data["items"], strict=True):
            self._resource(node, item)

    def _resource(self, root: yaml_tree.Node, data: Any) -> None:
        if not isinstance(root, yaml_tree.Mapping):
            fix = f"write apiVersion: {API_VERSION}, kind, metadata and spec"
            self._fail(root.place, "a manifest must be a mapping", fix)
            return
        model = self._model(root, data)
        if model is None:
            return
        if isinstance(metadata := data.get("metadata"), dict):
            cast("dict[str, Any]", metadata).setdefault("namespace", self.default_namespace)
        resource, problems = _validated(model, root, data)
        if resource is None:
            self.problems.extend(problems)
        else:
            self._keep(resource, root.place, problems)

    def _model(self, root: yaml_tree.Mapping, data: dict[str, Any]) -> type[Resource] | None:
        """The model of `kind`, when kind and apiVersion are ours."""
        before = len(self.problems)
        for name, known in (("apiVersion", [API_VERSION]), ("kind", list(_KINDS))):
            value = data.get(name)
            if value in known:
                continue
            place, _ = node_at(root, (name,))
            found = f"unknown {name} {value!r}" if name in data else f"{name} is missing"
            near = did_you_mean(value, known) if isinstance(value, str) else None
            fix = near or f"write {name}: {' or '.join(known)}"
            self.problems.append(Problem((name,), value, found, fix, place=place))
        return _KINDS[data["kind"]].model if len(self.problems) == before else None

    def _keep(self, resource: Resource, place: Place, problems: list[Problem]) -> None:
        self.problems.extend(problem for problem in problems if problem.level == "error")
        if first := self._places.get(resource.key):
            message = f"{resource.key} is defined twice, first at {first}"
            self._fail(place, message, "rename or remove one of the two")
        self._places.setdefault(resource.key, place)
        warnings = tuple(problem for problem in problems if problem.level == "warning")
        source = f"{place.file}:{place.line}" if place.line else place.file
        self.loaded.append(Loaded(resource, source, warnings))

    def _fail(self, place: Place, message: str, fix: str) -> None:
        self.problems.append(Problem((), None, message, fix, place=place))


def _content(path: Path) -> bytes | str:
    with path.open("rb") as file:
        return _read(file)


def _read(file: IO[bytes] | IO[str]) -> bytes | str:
    return file.read(MAX_FILE + 1)


def _parsed(model: type[Resource], data: dict[str, Any]) -> Resource:
    """Strictly: no text for a number, nor the other way round, and wire names only."""
    return model.model_validate_json(json.dumps(data), strict=True, by_alias=True, by_name=False)


def _validated(
    model: type[Resource], root: yaml_tree.Mapping, data: dict[str, Any]
) -> tuple[Resource | None, list[Problem]]:
    """The resource, if its fields have the right shape, and the problems. Changes `data` when they have not."""
    try:
        return _checked(_parsed(model, data), root)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    schema = schema_of(model)
    problems = [explain(detail, root, schema) for detail in details]
    # So that one run tells all, the values beside the wrong ones are checked too, with stand-ins for these.
    for detail in details:
        *parents, last = detail["loc"]
        parent = reduce(getitem, parents, cast("Any", data))
        if detail["type"] == "extra_forbidden":
            del parent[last]
        else:
            _, node = node_at(root, detail["loc"])
            parent[last] = stand_in(schema_at(schema, detail["loc"]), node)
    with suppress(ValidationError):
        told = {problem.path for problem in problems}
        _, more = _checked(_parsed(model, data), root)
        problems += [problem for problem in more if problem.level == "error" and problem.path not in told]
    return None, problems


def _checked(resource: Resource, root: yaml_tree.Mapping) -> tuple[Resource, list[Problem]]:
    return resource, [problem.at(node_at(root, problem.path)[0]) for problem in validate(resource)]
