"""Routing sets in the shared format: CSV rows `text, capability, agent, split`, and `agents.json` with descriptions."""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lmos.router.base import Roster, RosterAgent, RosterCapability

NONE = "none"
SHORTEST = 4
NEIGHBOURS = {
    "q": "wa",
    "w": "qes",
    "e": "wrd",
    "r": "etf",
    "t": "ryg",
    "y": "tuh",
    "u": "yij",
    "i": "uok",
    "o": "ipl",
    "p": "ol",
    "a": "qsz",
    "s": "awdx",
    "d": "sefc",
    "f": "drgv",
    "g": "fthb",
    "h": "gyjn",
    "j": "hukm",
    "k": "jil",
    "l": "kop",
    "z": "asx",
    "x": "zsdc",
    "c": "xdfv",
    "v": "cfgb",
    "b": "vghn",
    "n": "bhjm",
    "m": "njk",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A text and what is right for it; agent `none` means out of scope."""

    text: str
    agent: str
    capability: str
    split: str
    language: str = ""


def read_rows(path: Path) -> list[Row]:
    """Rows of a CSV file. Capabilities are written with underscores, as the sets' own files differ in that."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(r["text"], r["agent"], r["capability"].replace(" ", "_"), r["split"], r.get("lang", ""))
            for r in csv.DictReader(file)
        ]


def of_split(rows: Iterable[Row], split: str) -> list[Row]:
    return [row for row in rows if row.split == split]


def first_of_each(rows: Iterable[Row], count: int) -> list[Row]:
    """The first `count` rows of each capability, in the order of the file."""
    taken: dict[tuple[str, str], int] = defaultdict(int)
    found: list[Row] = []
    for row in rows:
        key = row.agent, row.capability
        if taken[key] < count:
            taken[key] += 1
            found.append(row)
    return found


def roster_of(rows: Iterable[Row], agents: Path | None = None) -> Roster:
    """A roster with `rows` as examples and the descriptions of `agents` (an `agents.json`)."""
    described: list[dict[str, Any]] = json.loads(agents.read_text(encoding="utf-8")) if agents else []
    about = {agent["name"]: agent.get("description", "") for agent in described}
    detail = {
        (agent["name"], capability["name"]): capability.get("description", "")
        for agent in described
        for capability in agent.get("capabilities", [])
    }
    examples: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        examples[row.agent][row.capability].append(row.text)
    return Roster(
        tuple(
            RosterAgent(
                agent,
                description=about.get(agent, ""),
                capabilities=tuple(
                    RosterCapability(name, description=detail.get((agent, name), ""), examples=tuple(texts))
                    for name, texts in capabilities.items()
                ),
            )
            for agent, capabilities in examples.items()
        )
    )


def with_typos(rows: Sequence[Row], seed: int = 3) -> list[Row]:
    """`rows` with one edit in half of the words of four letters and more (at least one, where there is such a word)."""
    dice = random.Random(seed)
    return [replace(row, text=_noisy(row.text, dice)) for row in rows]


def _noisy(text: str, dice: random.Random) -> str:
    words = text.split()
    long = [place for place, word in enumerate(words) if len(word) >= SHORTEST]
    for place in dice.sample(long, max(1, round(len(long) / 2)) if long else 0):
        words[place] = _mistyped(words[place], dice)
    return " ".join(words)


def _mistyped(word: str, dice: random.Random) -> str:
    at = dice.randrange(1, len(word) - 1)
    kind = dice.choice(["swap", "drop", "add", "miss"])
    if kind == "swap":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == "drop":
        return word[:at] + word[at + 1 :]
    if kind == "add":
        return word[:at] + dice.choice("abcdefghijklmnopqrstuvwxyz") + word[at:]
    return word[:at] + dice.choice(NEIGHBOURS.get(word[at].lower(), "aeiou")) + word[at + 1 :]
