"""YAML text as a tree of nodes that know their place, bounded against documents made to exhaust memory.

The loader reads manifests through it. It is built from the parser's events, not with PyYAML's own composer, because
that one recurses, expands aliases without bound, and keeps the last of duplicate keys without a word.
It knows YAML and places, not resources.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import yaml
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.error import MarkedYAMLError
from yaml.resolver import Resolver

from lmos.resources.validation import Path, Place, Problem

__all__ = [
    "MAX_DEPTH",
    "MAX_DOCUMENT",
    "MAX_NODES",
    "UNPRINTABLE",
    "Document",
    "Mapping",
    "Node",
    "Scalar",
    "Sequence",
    "documents",
]

# Bounds of one document with every alias written out. etcd, where Kubernetes keeps objects, takes 1.5 MiB.
MAX_DOCUMENT = 1024 * 1024
MAX_NODES = 100_000
MAX_DEPTH = 64
# Characters of a number: Python's conversion of long ones is quadratic.
MAX_NUMBER = 64

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset({"str", "timestamp", "value"})
UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# libyaml when PyYAML was built with it: 20 times as fast.
_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_resolver: Any = Resolver()
_constructor = SafeConstructor()
_CONSTRUCTORS: dict[str, Callable[[yaml.ScalarNode], Any]] = {
    "null": _constructor.construct_yaml_null,
    "bool": _constructor.construct_yaml_bool,
    "int": _constructor.construct_yaml_int,
    "float": _constructor.construct_yaml_float,
}
# What the constructors raise for text that an explicit tag calls a number, say.
_NO_VALUE = (ValueError, KeyError, IndexError, ConstructorError)


@dataclass(slots=True, eq=False)
class Scalar:
    """One value: its text as written and its YAML type (`str`, `int`, `float`, `bool`, `null`, ...)."""

    place: Place
    text: str
    type: str
    plain: bool
    height: int = 1


@dataclass(slots=True, eq=False)
class Sequence:
    place: Place
    items: list[Node] = field(default_factory=list["Node"])
    height: int = 1


@dataclass(slots=True, eq=False)
class Mapping:
    """Keys with their nodes. `faults` are what is wrong with its keys: duplicates, keys that are no text."""

    place: Place
    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict[str, "tuple[Scalar, Node]"])
    faults: list[Problem] = field(default_factory=list[Problem])
    merged: list[Mapping] = field(default_factory=list["Mapping"])
    height: int = 1


Node = Scalar | Sequence | Mapping


@dataclass(slots=True)
class Document:
    """One document: its tree, or `None` when it is empty or broken. `problems` say why it is broken."""

    place: Place
    root: Node | None = None
    problems: list[Problem] = field(default_factory=list[Problem])

    def data(self, node: Node, path: Path = ()) -> Any:
        """The node as JSON data. What cannot be data is reported in `problems` and stands as `None`."""
        match node:
            case Scalar():
                return self._value(node, path)
            case Sequence():
                return [self.data(item, (*path, i)) for i, item in enumerate(node.items)]
            case Mapping():
                self.problems.extend(replace(fault, path=(*path, *fault.path)) for fault in node.faults)
                return {key: self.data(value, (*path, key)) for key, (_, value) in node.entries.items()}

    def _value(self, node: Scalar, path: Path) -> Any:
        if bad := UNPRINTABLE.search(node.text):
            message = f"contains the control character {bad[0]!r}"
            self.problems.append(Problem(path, node.text, message, "remove it", place=node.place))
            return None
        if node.type in _TEXT_TAGS:
            return node.text
        try:
            return _constructed(node)
        except _NO_VALUE:
            message = f"{_short(node.text)} is no value of the YAML type {node.type!r}"
            fix = "quote it, if it is text; else write a number, true or false, without a tag"
            self.problems.append(Problem(path, node.text, message, fix, place=node.place))
            return None


def documents(text: str, file: str) -> Iterator[Document]:
    """The documents of `text`, in order; a syntax error ends the last one. Empty documents come with no root."""
    builder = _Builder(file)
    try:
        events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        for event in events:
            match event:
                case yaml.DocumentStartEvent():
                    builder = _Builder(file, _start(event))
                case yaml.DocumentEndEvent():
                    yield builder.document
                    builder = _Builder(file)
                case yaml.StreamStartEvent() | yaml.StreamEndEvent():
                    pass
                case _ if builder.document.problems:
                    pass  # past a bound: wait for the end of the document
                case _:
                    builder.take(event)
    except yaml.YAMLError as error:
        builder.document.root = None
        builder.document.problems.append(_syntax_error(error, text, file))
        yield builder.document


@dataclass(slots=True)
class _Open:
    """A sequence or mapping under construction; `nodes` and `size` are the totals before it."""

    node: Sequence | Mapping
    anchor: str | None
    nodes: int
    size: int
    key: Node | None = None


class _Builder:
    """Builds one document of events. Never recurses."""

    def __init__(self, file: str, start: int = 0) -> None:
        self.document = Document(Place(file, 1, 1))
        self._file = file
        self._start = start
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._nodes = 0
        self._size = 0

    def take(self, event: Any) -> None:
        place = Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)
        if not self._stack:
            self.document.place = place
        if event.end_mark.index - self._start > MAX_DOCUMENT:
            self._refuse(place, f"the document is larger than {MAX_DOCUMENT} characters", "split it into several")
            return
        match event:
            case yaml.AliasEvent():
                self._alias(str(event.anchor), place)
            case yaml.ScalarEvent():
                self._scalar(event, place)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._open(event, place)
            case _:
                self._close()

    def _alias(self, anchor: str, place: Place) -> None:
        if any(frame.anchor == anchor for frame in self._stack):
            self._refuse(place, f"the alias *{anchor} contains itself", "write the value out")
        elif anchor not in self._anchors:
            self._refuse(place, f"the alias *{anchor} has no anchor before it", f"put &{anchor} before the value meant")
        else:
            node, nodes, size = self._anchors[anchor]
            self._count(nodes, size, place)
            self._add(node, place)

    def _scalar(self, event: Any, place: Place) -> None:
        tag: str = event.tag or "!"
        if tag == "!":
            tag = str(_resolver.resolve(yaml.ScalarNode, event.value, event.implicit))
        node = Scalar(place, event.value, tag.removeprefix(_TAG), bool(event.implicit[0]))
        if event.anchor:
            self._anchors[event.anchor] = (node, 1, len(node.text))
        self._count(1, len(node.text), place)
        self._add(node, place)

    def _open(self, event: Any, place: Place) -> None:
        node = Sequence(place) if isinstance(event, yaml.SequenceStartEvent) else Mapping(place)
        if event.tag not in (None, "!", f"{_TAG}seq", f"{_TAG}map"):
            self._refuse(place, f"the YAML tag {event.tag!r} is not supported", "remove the tag")
            return
        self._stack.append(_Open(node, event.anchor, self._nodes, self._size))
        self._count(1, 0, place)

    def _close(self) -> None:
        frame = self._stack.pop()
        if isinstance(frame.node, Mapping):
            # What `<<` merges in gives way to the mapping's own keys, a later source to an earlier one.
            for source in frame.node.merged:
                frame.node.entries = {**source.entries, **frame.node.entries}
        if frame.anchor:
            self._anchors[frame.anchor] = (frame.node, self._nodes - frame.nodes, self._size - frame.size)
        self._add(frame.node, frame.node.place)

    def _add(self, node: Node, place: Place) -> None:
        if len(self._stack) + node.height > MAX_DEPTH:
            self._refuse(place, f"the document is nested deeper than {MAX_DEPTH} levels", "flatten it")
            return
        if not self._stack:
            self.document.root = node
            return
        frame = self._stack[-1]
        frame.node.height = max(frame.node.height, node.height + 1)
        if isinstance(frame.node, Sequence):
            frame.node.items.append(node)
        elif frame.key is None:
            frame.key = node
        else:
            _enter(frame.node, frame.key, node)
            frame.key = None

    def _count(self, nodes: int, size: int, place: Place) -> None:
        self._nodes += nodes
        self._size += size
        if self._nodes > MAX_NODES or self._size > MAX_DOCUMENT:
            message = f"the document has more than {MAX_NODES} nodes or {MAX_DOCUMENT} characters, aliases written out"
            self._refuse(place, message, "use fewer aliases, or split the document")

    def _refuse(self, place: Place, message: str, fix: str) -> None:
        self.document.root = None
        self.document.problems.append(Problem((), None, message, fix, place=place))


def _start(event: Any) -> int:
    return event.start_mark.index


def _enter(mapping: Mapping, key: Node, value: Node) -> None:
    if not isinstance(key, Scalar):
        mapping.faults.append(Problem((), None, "a key must be text", "write 'key: value'", place=key.place))
    elif key.type == "merge":
        _merge(mapping, key, value)
    elif key.type != "str":
        message = f"the key {_short(key.text)} is no text: YAML reads it as {key.type}"
        mapping.faults.append(Problem((), key.text, message, f'quote it: "{key.text}"', place=key.place))
    elif bad := UNPRINTABLE.search(key.text):
        message = f"the key {_short(key.text)} contains the control character {bad[0]!r}"
        mapping.faults.append(Problem((), key.text, message, "remove it", place=key.place))
    elif key.text in mapping.entries:
        first = mapping.entries[key.text][0].place
        message = f"the key {_short(key.text)} stands twice, first in line {first.line}"
        mapping.faults.append(Problem((key.text,), key.text, message, "remove one of the two", place=key.place))
    else:
        mapping.entries[key.text] = (key, value)


def _merge(mapping: Mapping, key: Scalar, value: Node) -> None:
    sources = value.items if isinstance(value, Sequence) else [value]
    for source in sources:
        if isinstance(source, Mapping):
            mapping.merged.append(source)
        else:
            message = "a merge key << needs a mapping or a list of mappings"
            mapping.faults.append(Problem((), None, message, "write '<<: *anchor'", place=key.place))


def _constructed(node: Scalar) -> Any:
    """The value of a scalar that is no text. Raises an error of `_NO_VALUE`."""
    construct = _CONSTRUCTORS.get(node.type)
    if construct is None or len(node.text) > MAX_NUMBER:
        raise ValueError(node.type)
    value = construct(yaml.ScalarNode(_TAG + node.type, node.text))
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(node.text)
    return value


def _syntax_error(error: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return Problem((), None, f"this is no YAML: {error}", "check quotes and indentation", place=Place(file))
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in (error.problem or ""):
        fix = "indent with spaces: YAML allows no tabs there"
    elif "mapping values are not allowed" in (error.problem or ""):
        fix = "quote a value that contains ': ', or correct the indentation"
    else:
        fix = "check quotes, brackets and indentation here and in the line before"
    context = f" {error.context}" if error.context else ""
    place = Place(file, mark.line + 1, mark.column + 1)
    return Problem((), line.strip() or None, f"this is no YAML: {error.problem}{context}", fix, place=place)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
