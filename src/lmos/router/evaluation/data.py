"""Labelled messages and agents in files: CSV, JSON lines, gzip of both, and `agents.json`. Reads and checks, no more.

Columns: `text` and `agent` (`none`: no agent should answer); optional `capability`, `split`, `lang`, and for dialogues
`dialogue`, `turn`, `kind`, `accept` (agents that count as right) and `history` (messages with the agent of each). Other
columns are kept for the predictions.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from lmos.conversation.messages import Message
from lmos.router.base import Roster, RosterAgent, RosterCapability

__all__ = [
    "NONE",
    "DataError",
    "Row",
    "Sets",
    "read_agents",
    "read_answers",
    "read_rows",
    "roster_of",
    "sets_of",
    "training_rows",
]

NONE: Final = "none"
"""The label of messages that no agent should answer."""

_TEST_SPLITS: Final = ("test", "dev", "valid", "validation")
_SUFFIXES: Final = ".csv, .jsonl, .csv.gz or .jsonl.gz"
_MOST_BYTES: Final = 1 << 30


class DataError(Exception):
    """A file is not what it should be. The message names file, line, field, value and fix."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled message. `fields` is the row as it was read; `previous` served the message before, if any."""

    text: str
    agent: str
    capability: str = ""
    split: str = ""
    language: str = ""
    kind: str = ""
    dialogue: str = ""
    turn: int = 0
    accept: tuple[str, ...] = ()
    history: tuple[Message, ...] = ()
    previous: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def foreign(self) -> bool:
        return self.agent == NONE


@dataclass(frozen=True, slots=True)
class Sets:
    """What to learn from, what to measure on, and how the two were told apart, in words."""

    train: tuple[Row, ...]
    test: tuple[Row, ...]
    how: str


def read_rows(path: Path) -> list[Row]:
    """The rows of a file. Raises `DataError`, and `OSError` where it cannot be opened."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".csv"):
        records = _csv(path)
    elif name.endswith((".jsonl", ".ndjson")):
        records = _json_lines(path)
    else:
        raise DataError(f"{path}: the name does not say what it holds; fix: name it {_SUFFIXES}")
    rows = [_row(record, f"{path}:{line}") for line, record in records]
    if not rows:
        raise DataError(f"{path}: no rows; fix: write a header and one message a line")
    return rows


def read_answers(path: Path) -> list[tuple[str, str, str]]:
    """Recorded answers of a model, JSON lines `{text, agent}`: place, text, agent (`none` for null).

    Raises `DataError`.
    """
    found: list[tuple[str, str, str]] = []
    for line, record in _json_lines(path):
        where = f"{path}:{line}"
        agent = NONE if "agent" in record and record["agent"] is None else _string(record, "agent", where)
        found.append((where, _string(record, "text", where), agent))
    return found


def _text(path: Path) -> str:
    try:
        if path.name.endswith(".gz"):
            with gzip.open(path) as file:
                data = file.read(_MOST_BYTES + 1)
        else:
            data = path.read_bytes()
    except (gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{path}: is no gzip file ({error}); fix: remove .gz from its name") from error
    if len(data) > _MOST_BYTES:
        raise DataError(f"{path}: more than {_MOST_BYTES >> 20} MiB; fix: split it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path}:{line}: is not UTF-8; fix: convert the file") from error


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
    missing = {"text", "agent"} - set(reader.fieldnames or ())
    if missing:
        have = ", ".join(reader.fieldnames or ()) or "none"
        raise DataError(f"{path}:1: no column {' and '.join(sorted(missing))}; fix: add it to the header (has: {have})")
    try:
        for record in reader:
            if None in record or None in record.values():
                fix = "give each line as many fields as the header, and quote texts with commas"
                raise DataError(f"{path}:{reader.line_num}: {len(reader.fieldnames or ())} fields expected; fix: {fix}")
            yield reader.line_num, dict(record)
    except csv.Error as error:
        raise DataError(
            f"{path}:{reader.line_num}: is no CSV ({error}); fix: close quotes, double them inside"
        ) from error


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    # Not splitlines: a text may hold other line separators of Unicode.
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            record: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{number}: is no JSON ({error}); fix: write one object a line") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}:{number}: is {type(record).__name__}, not an object; fix: write one object a line")
        yield number, cast("dict[str, Any]", record)


def _row(record: dict[str, Any], where: str) -> Row:
    text = _string(record, "text", where)
    agent = _string(record, "agent", where).strip()
    if not agent:
        raise DataError(f"{where}: agent is empty; fix: name the agent, or '{NONE}' for messages that nobody answers")
    history = _history(record.get("history") or (), where)
    return Row(
        text=text,
        agent=agent,
        # Sets of one source differ in how they write these names.
        capability=_string(record, "capability", where, "").replace(" ", "_"),
        split=_string(record, "split", where, ""),
        language=_string(record, "lang", where, ""),
        kind=_string(record, "kind", where, ""),
        dialogue=_string(record, "dialogue", where, ""),
        turn=_turn(record.get("turn", 0), where),
        accept=_accept(record.get("accept"), agent, where),
        history=tuple(message for message, _ in history),
        previous=history[-1][1] if history else None,
        fields=record,
    )


def _string(record: Mapping[str, Any], name: str, where: str, default: str | None = None) -> str:
    value: object = record.get(name, default)
    if not isinstance(value, str):
        if value is None:
            raise DataError(f"{where}: no {name}; fix: add the field {name!r}")
        raise DataError(f"{where}: {name} is {value!r}, not text; fix: write it in quotes")
    return value


def _turn(value: object, where: str) -> int:
    if isinstance(value, int) or (isinstance(value, str) and value.strip().isdecimal()):
        return int(value)
    raise DataError(f"{where}: turn is {value!r}, not a number; fix: count the turns of a dialogue from 0")


def _accept(value: object, agent: str, where: str) -> tuple[str, ...]:
    if value is None:
        return (agent,)
    names = value.split("|") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in cast("list[object]", names)):
        raise DataError(f"{where}: accept is {value!r}, not a list of names; fix: list the agents that count as right")
    return tuple(dict.fromkeys((agent, *cast("list[str]", names))))


def _history(value: object, where: str) -> list[tuple[Message, str | None]]:
    fix = 'write [{"role": "user" or "assistant", "content": text, "agent": name}]'
    if not isinstance(value, list | tuple):
        raise DataError(f"{where}: history is {value!r}; fix: {fix}")
    found: list[tuple[Message, str | None]] = []
    for item in cast("Sequence[object]", value):
        said = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
        role, content, agent = said.get("role"), said.get("content"), said.get("agent")
        if role not in ("user", "assistant") or not isinstance(content, str) or not isinstance(agent, str | None):
            raise DataError(f"{where}: history holds {item!r}; fix: {fix}")
        found.append((Message(role="user" if role == "user" else "assistant", content=content), agent))
    return found


def sets_of(
    test: Sequence[Row], train: Sequence[Row] | None, *, train_split: str | None = None, test_split: str | None = None
) -> Sets:
    """What to learn from and to measure on. Without `train`, the splits of `test` divide it. Raises `DataError`."""
    learnt, learnt_how = training_rows(test if train is None else train, train_split, whole=train is not None)
    measured, measured_how = _of_split(test, test_split, _TEST_SPLITS, "--test-split", train is not None)
    return Sets(tuple(learnt), tuple(measured), f"learnt from {learnt_how}, measured on {measured_how}")


def training_rows(rows: Sequence[Row], split: str | None = None, *, whole: bool = True) -> tuple[list[Row], str]:
    """The rows of agents in `split` (`train`, or all where no column divides them and `whole`), and which they are.

    Raises `DataError`.
    """
    chosen, how = _of_split(rows, split, ("train",), "--train-split", whole)
    own = [row for row in chosen if not row.foreign]
    if not own:
        raise DataError("no rows to learn from: all are labelled none; fix: give rows of agents")
    return own, how


def _of_split(
    rows: Sequence[Row], wanted: str | None, usual: Sequence[str], option: str, whole: bool
) -> tuple[list[Row], str]:
    """The rows of the wanted split, else of the first usual one there is, else all where `whole` and none differs."""
    splits = list(dict.fromkeys(row.split for row in rows))
    chosen = wanted if wanted is not None else next((name for name in usual if name in splits), None)
    if chosen is None and whole and len(splits) == 1:
        return list(rows), f"all rows of split {splits[0]!r}" if splits[0] else "all rows"
    if chosen not in splits:
        named = ", ".join(map(repr, splits)) if splits != [""] else "no split"
        missing = f"no split {wanted!r}" if wanted is not None else f"no split {' or '.join(map(repr, usual))}"
        raise DataError(f"{missing}; fix: name one with {option} (the file has {named})")
    return [row for row in rows if row.split == chosen], f"split {chosen!r}"


def read_agents(path: Path) -> tuple[RosterAgent, ...]:
    """The agents of a JSON file: `[{name, description?, capabilities?: [{name, description?, examples?}]}]`.

    Raises `DataError`.
    """
    try:
        found: object = json.loads(_text(path))
    except ValueError as error:
        raise DataError(f"{path}: is no JSON ({error}); fix: write a list of agents") from error
    if not isinstance(found, list):
        raise DataError(f"{path}: is {type(found).__name__}, not a list; fix: write [{{'name': ...}}, ...]")
    return tuple(_agent(item, f"{path}: agent {n}") for n, item in enumerate(cast("list[object]", found), 1))


def _agent(item: object, where: str) -> RosterAgent:
    record = _object(item, where)
    listed: object = record.get("capabilities") or []
    if not isinstance(listed, list):
        raise DataError(f"{where}: capabilities is {listed!r}; fix: write a list")
    capabilities = tuple(
        _capability(_object(c, f"{where}, capability {n}"), f"{where}, capability {n}")
        for n, c in enumerate(cast("list[object]", listed), 1)
    )
    return RosterAgent(_string(record, "name", where), "", _string(record, "description", where, ""), capabilities)


def _capability(record: Mapping[str, Any], where: str) -> RosterCapability:
    examples: object = record.get("examples") or []
    if not isinstance(examples, list) or not all(isinstance(e, str) for e in cast("list[object]", examples)):
        raise DataError(f"{where}: examples is {examples!r}; fix: write a list of texts")
    name = _string(record, "name", where).replace(" ", "_")
    return RosterCapability(name, "", _string(record, "description", where, ""), tuple(cast("list[str]", examples)))


def _object(item: object, where: str) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise DataError(f"{where}: is {item!r}, not an object; fix: write {{'name': ...}}")
    return cast("Mapping[str, Any]", item)


def roster_of(rows: Iterable[Row], agents: Iterable[RosterAgent] = ()) -> Roster:
    """The roster of `agents`, with `rows` as further examples; agents that only `rows` name come after them."""
    about: dict[str, str] = {}
    described: dict[tuple[str, str], str] = {}
    examples: dict[str, dict[str, list[str]]] = {}
    for agent in agents:
        about[agent.name] = agent.description
        own = examples.setdefault(agent.name, defaultdict(list))
        for capability in agent.capabilities:
            described[agent.name, capability.name] = capability.description
            own[capability.name] += capability.examples
    for row in rows:
        examples.setdefault(row.agent, defaultdict(list))[row.capability or row.agent].append(row.text)
    return Roster(
        tuple(
            RosterAgent(
                name,
                description=about.get(name, ""),
                capabilities=tuple(
                    RosterCapability(c, description=described.get((name, c), ""), examples=tuple(texts))
                    for c, texts in capabilities.items()
                ),
            )
            for name, capabilities in examples.items()
        )
    )
