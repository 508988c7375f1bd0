"""Small rosters and strangers: one to six agents with three, four or eight examples a capability, as people begin.

Rosters are drawn from the shared sets. Each meets messages of its own agents, of the other agents of its set (near
strangers) and those that CLINC150 labels as for nobody (far strangers). The router has never seen any of them.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.router.datasets import NONE, Row, first_of_each, of_split, read_rows, roster_of
from lmos.encoders.base import Encoder
from lmos.router.base import Classification, ClassificationRequest, Roster
from lmos.router.vector import VectorClassifier

ROSTERS = 72
MOST_AGENTS = 6
EXAMPLES = (3, 4, 8)
MOST_CAPABILITIES = 4
OWN, STRANGERS = 60, 40
HELD_OUT_FROM = 8  # rows of a set without a test split beyond these are for testing


@dataclass(frozen=True, slots=True)
class Small:
    """A roster, the number of its agents and examples, and what it meets."""

    source: str
    agents: int
    examples: int
    roster: Roster
    own: list[Row]
    near: list[Row]
    far: list[Row]


@dataclass(frozen=True, slots=True)
class Met:
    """Percentages. `good`: own messages matched to the right agent, or asked about with it among the topics; `asked`,
    `declined`: of own messages; `near`, `far`: strangers not matched, a question counting half."""

    rosters: int
    own_messages: int
    good: float
    asked: float
    declined: float
    near: float
    far: float

    @property
    def rejected(self) -> float:
        return (self.near + self.far) / 2


def draw(data: Path, seed: int = 1) -> Iterator[Small]:
    """The rosters, always the same."""
    dice = random.Random(seed)
    clinc = read_rows(data / "clinc150" / "data.csv")
    nobody = [row for row in clinc if row.agent == NONE]
    sets = _sets(data, [row for row in clinc if row.agent != NONE])
    for number in range(ROSTERS):
        source = dice.choice(("lmos", "clinc150", "sgd", "ohf_intents"))
        train, test, about = sets[source]
        agents = 1 + number % MOST_AGENTS
        examples = EXAMPLES[number // MOST_AGENTS % len(EXAMPLES)]
        known = sorted({row.agent for row in train} & {row.agent for row in test})
        chosen: set[tuple[str, str]] = set()
        for agent in dice.sample(known, agents):
            own = sorted({row.capability for row in train if row.agent == agent})
            count = min(len(own), dice.randint(1, MOST_CAPABILITIES))
            chosen |= {(agent, capability) for capability in dice.sample(own, count)}
        names = {agent for agent, _ in chosen}
        seeds = first_of_each([row for row in train if (row.agent, row.capability) in chosen], examples)
        own_rows = [row for row in test if (row.agent, row.capability) in chosen]
        others = [row for row in test if row.agent not in names]
        yield Small(
            source,
            agents,
            examples,
            roster_of(seeds, about),
            dice.sample(own_rows, min(OWN, len(own_rows))),
            dice.sample(others, min(STRANGERS, len(others))),
            dice.sample(nobody, STRANGERS),
        )


def _sets(data: Path, clinc: list[Row]) -> dict[str, tuple[list[Row], list[Row], Path | None]]:
    lmos = read_rows(data / "lmos" / "data.csv")
    home = [row for row in read_rows(data / "ohf_intents" / "data.csv") if row.language == "en"]
    openers = read_rows(data / "sgd" / "openers.csv")
    random.Random(5).shuffle(openers)
    first = first_of_each(openers, HELD_OUT_FROM)
    texts = {row.text for row in first}
    return {
        "lmos": (of_split(lmos, "train"), of_split(lmos, "test"), data / "lmos" / "agents.json"),
        "clinc150": (of_split(clinc, "train"), of_split(clinc, "test"), None),
        "sgd": (first, [row for row in openers if row.text not in texts], data / "sgd" / "agents.json"),
        "ohf_intents": (of_split(home, "train"), of_split(home, "test"), data / "ohf_intents" / "agents.json"),
    }


async def meet(encoders: Sequence[Encoder], rosters: Sequence[Small]) -> list[dict[str, Any]]:
    """What the rosters do with what they meet: in all, and by number of examples, of agents, and by source."""
    seen: dict[str, list[tuple[str, Row, Classification]]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for small in rosters:
        groups = ("all", f"{small.examples} examples", f"{small.agents} agents", small.source)
        classifier = VectorClassifier(*encoders)
        await classifier.prepare(small.roster)
        for kind, rows in (("own", small.own), ("near", small.near), ("far", small.far)):
            for row in rows:
                found = await classifier.classify(ClassificationRequest(row.text, small.roster))
                for group in groups:
                    seen[group].append((kind, row, found))
        for group in groups:
            counts[group] += 1
    order = sorted(seen, key=lambda group: (group != "all", group))
    return [{"group": group, **asdict(_met(seen[group], counts[group]))} for group in order]


def _met(seen: Sequence[tuple[str, Row, Classification]], rosters: int) -> Met:
    own = [(row, found) for kind, row, found in seen if kind == "own"]

    def share(hits: Sequence[float]) -> float:
        return 100 * sum(hits) / max(len(hits), 1)

    def rejected(wanted: str) -> float:
        worth = {"out_of_scope": 1.0, "ambiguous": 0.5, "match": 0.0}
        return share([worth[found.outcome] for kind, _, found in seen if kind == wanted])

    return Met(
        rosters,
        len(own),
        share([_good(row, found) for row, found in own]),
        share([found.outcome == "ambiguous" for _, found in own]),
        share([found.outcome == "out_of_scope" for _, found in own]),
        rejected("near"),
        rejected("far"),
    )


def _good(row: Row, found: Classification) -> bool:
    offered = [candidate.agent for candidate in found.candidates[:3]]
    return row.agent in found.agents or (found.outcome == "ambiguous" and row.agent in offered)
