"""`python -m benchmarks.router.dialogues DATA [--fit]`: conversations of the folder's `sgd` set, where the current
agent is the router's own last choice. `--fit` fits the gate of `lmos.router.dialogue` on one half of them, and prints
it.

The half is chosen by the hash of the dialogue's name. Gate and figures use 20 seeds a capability; seeds of the measured
half's world are openers that do not occur in it, those of the fitted world occur in neither half.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.router.datasets import Row, first_of_each, of_split, read_rows, roster_of
from lmos.conversation.messages import Message
from lmos.encoders.registry import encoder_named
from lmos.router.base import ClassificationRequest, Roster
from lmos.router.cascade import Judged
from lmos.router.dialogue import Cues, blend, leaving_probability, observe
from lmos.router.text import readable
from lmos.router.vector import VectorClassifier

Floats = NDArray[np.float64]
Gate = Callable[[Cues], float]

ROUNDS = 3
STRANGER_COPIES, STRANGER_WEIGHT = 8, 0.5
WRONG_SHARE = 0.15
PENALTY = 3.0


@dataclass(frozen=True, slots=True)
class Turn:
    """A user's turn: `accepted` agents count as right; `kind` is first, follow, switch or closing."""

    text: str
    agent: str
    accepted: tuple[str, ...]
    kind: str
    dialogue: str
    history: tuple[Message, ...]
    previous: str | None


def read_turns(path: Path) -> list[Turn]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return [
        Turn(
            t["text"],
            t["agent"],
            tuple(t["accept"]),
            t["kind"],
            t["dialogue"],
            tuple(Message(role=m["role"], content=m["content"]) for m in t["history"][-1:]),
            t["history"][-1]["agent"] if t["history"] else None,
        )
        for t in found
    ]


def is_measured(turn: Turn) -> bool:
    return sha256(turn.dialogue.encode()).digest()[0] % 2 == 1


class World:
    """A roster and what a classifier thinks of messages; each text is judged once."""

    def __init__(self, roster: Roster, encoders: Sequence[str]) -> None:
        self.roster = roster
        self.names = sorted(agent.name for agent in roster.agents)
        self._cascade = VectorClassifier(*(encoder_named(name) for name in encoders)).cascade
        self._judged: dict[str, Judged] = {}

    async def judge(self, texts: Sequence[str]) -> None:
        for text in texts:
            if text not in self._judged:
                self._judged[text] = await self._cascade.judge(self.roster, readable(text))

    def alone(self, text: str) -> NDArray[np.float32]:
        return self._judged[text].judgement.agents

    def cues(self, text: str, history: Sequence[Message], current: str) -> Cues:
        return observe(text, history, self._judged[text], current)

    def other(self, text: str, current: str) -> str:
        scores = self.alone(text).copy()
        scores[self.names.index(current)] = -1
        return self.names[int(scores.argmax())]


@dataclass(slots=True)
class Lessons:
    """Rows to fit the gate on: cues, whether the message leaves, and how much the row counts."""

    cues: list[tuple[float, ...]]
    leaves: list[float]
    weights: list[float]

    def add(self, cues: Cues, leaves: bool, weight: float = 1.0) -> None:
        self.cues.append(astuple(cues))
        self.leaves.append(float(leaves))
        self.weights.append(weight)


def play(world: World, turns: Sequence[Turn], gate: Gate, lessons: Lessons | None = None) -> dict[str, list[bool]]:
    """Play dialogues in order with the agent of the last own decision; right or wrong by kind."""
    last: dict[str, str] = {}
    right: dict[str, list[bool]] = defaultdict(list)
    for turn in turns:
        if turn.agent not in world.names:
            continue
        chosen = world.alone(turn.text)
        current = last.get(turn.dialogue)
        if turn.previous is not None and current is None:
            continue
        if current is not None:
            cues = world.cues(turn.text, turn.history, current)
            if lessons is not None and not (turn.kind == "closing" and current not in turn.accepted):
                lessons.add(cues, _leaves(world, turn, current))
            chosen = blend(chosen, world.names.index(current), gate(cues))
        last[turn.dialogue] = agent = world.names[int(chosen.argmax())]
        good = agent == turn.agent if turn.kind in ("first", "switch") else agent in turn.accepted
        right[turn.kind].append(good)
        right["all"].append(good)
    return right


async def play_decisions(classifier: VectorClassifier, roster: Roster, turns: Sequence[Turn]) -> dict[str, list[bool]]:
    """As `play`, by whole decisions: the agent is that of a match, else the best candidate."""
    names = {agent.name for agent in roster.agents}
    last: dict[str, str] = {}
    right: dict[str, list[bool]] = defaultdict(list)
    for turn in turns:
        current = last.get(turn.dialogue)
        if turn.agent not in names or (turn.previous is not None and current is None):
            continue
        found = await classifier.classify(ClassificationRequest(turn.text, roster, turn.history, current))
        last[turn.dialogue] = agent = (*found.agents, found.candidates[0].agent)[0]
        good = agent == turn.agent if turn.kind in ("first", "switch") else agent in turn.accepted
        right[turn.kind].append(good)
        right["all"].append(good)
    return right


def measured_world(data: Path, seeds: int) -> tuple[Roster, list[Turn]]:
    """The roster, of openers that the measured half does not have, and that half's turns."""
    half = [turn for turn in read_turns(data / "sgd" / "turns_dev.jsonl.gz") if is_measured(turn)]
    texts = {turn.text for turn in half}
    openers = [row for row in _openers(data) if row.text not in texts]
    return roster_of(first_of_each(openers, seeds), data / "sgd" / "agents.json"), half


def _leaves(world: World, turn: Turn, current: str) -> bool:
    """Whether leaving `current` is right: at a switch, or when it is wrong and the other agent would be right."""
    if current in turn.accepted:
        return turn.kind == "switch" and current != turn.agent
    return world.other(turn.text, current) in turn.accepted


def teach(world: World, turns: Sequence[Turn], strangers: Sequence[str], lessons: Lessons, dice: random.Random) -> None:
    """Rows of true conversations, of conversations that went to a wrong agent, and of strangers in their midst."""
    known = [t for t in turns if t.previous in world.names and t.agent in world.names]
    for turn in known:
        if turn.kind != "closing" and dice.random() < WRONG_SHARE:
            order: list[int] = np.argsort(-world.alone(turn.text))[:4].tolist()
            wrong = dice.choice([world.names[i] for i in order if world.names[i] not in turn.accepted])
            lessons.add(world.cues(turn.text, turn.history, wrong), world.other(turn.text, wrong) in turn.accepted)
        lessons.add(world.cues(turn.text, turn.history, str(turn.previous)), turn.kind == "switch")
    for text in [*strangers] * STRANGER_COPIES:
        host = dice.choice(known)
        lessons.add(world.cues(text, host.history, str(host.previous)), True, STRANGER_WEIGHT)


def fit(lessons: Lessons) -> tuple[Floats, float]:
    """Weights and bias of the logistic gate, by Newton's method."""
    cues, leaves, weights = (np.array(part, np.float64) for part in (lessons.cues, lessons.leaves, lessons.weights))
    mean, deviation = cues.mean(axis=0), cues.std(axis=0) + 1e-9
    rows = np.column_stack([(cues - mean) / deviation, np.ones(len(cues))])
    penalty = np.append(np.full(cues.shape[1], PENALTY), 1e-6)
    solution = np.zeros(rows.shape[1])
    for _ in range(30):
        probability = 1 / (1 + np.exp(-rows @ solution))
        gradient = rows.T @ (weights * (probability - leaves)) + penalty * solution
        curvature = (rows * (weights * probability * (1 - probability))[:, None]).T @ rows + np.diag(penalty)
        solution -= np.linalg.solve(curvature, gradient)
    own = solution[:-1] / deviation
    return own, float(solution[-1] - own @ mean)


def gate_of(weights: Floats, bias: float) -> Gate:
    return lambda cues: float(1 / (1 + np.exp(-(np.array(astuple(cues)) @ weights + bias))))


async def fitted(data: Path, turns: list[Turn], strangers: list[str]) -> Gate:
    """Fit the gate on the unmeasured half: on true conversations first, then also on those that it leads itself."""
    half = [turn for turn in turns if not is_measured(turn)]
    texts = {turn.text for turn in turns}
    openers = [row for row in _openers(data) if row.text not in texts]
    dice = random.Random(1)
    lessons = Lessons([], [], [])
    worlds: list[World] = []
    for count in (5, 20):
        for encoder in ("onnx", "static"):
            world = World(roster_of(first_of_each(openers, count), data / "sgd" / "agents.json"), [encoder])
            await world.judge([turn.text for turn in half] + strangers)
            teach(world, half, strangers, lessons, dice)
            worlds.append(world)
    weights, bias = fit(lessons)
    for _ in range(ROUNDS - 1):
        for world in worlds:
            play(world, half, gate_of(weights, bias), lessons)
        weights, bias = fit(lessons)
    for field, weight in zip(fields(Cues), weights, strict=True):
        print(f"    {weight:.4f},  # {field.name}")
    print(f"BIAS = {bias:.4f}")
    return gate_of(weights, bias)


def _openers(data: Path) -> list[Row]:
    rows = read_rows(data / "sgd" / "openers.csv")
    random.Random(5).shuffle(rows)
    return rows


async def measure(data: Path, fit_gate: bool, seeds: int) -> None:
    turns = read_turns(data / "sgd" / "turns_dev.jsonl.gz")
    clinc = [row for row in read_rows(data / "clinc150" / "data.csv") if row.agent == "none"]
    gate: Gate = leaving_probability
    if fit_gate:
        gate = await fitted(data, turns, [row.text for row in of_split(clinc, "train")])
    roster, half = measured_world(data, seeds)
    for encoders in (["static"], ["onnx"], ["static", "onnx"]):
        if fit_gate:
            world = World(roster, encoders)
            await world.judge([turn.text for turn in half])
            right = play(world, half, gate)
        else:
            right = await play_decisions(VectorClassifier(*(encoder_named(name) for name in encoders)), roster, half)
        kinds = ("all", "first", "follow", "switch", "closing")
        shares = "  ".join(f"{kind} {100 * np.mean(right[kind]):.2f} ({len(right[kind])})" for kind in kinds)
        print(f"{'+'.join(encoders):12} {seeds} seeds, own past choices: {shares}", flush=True)
    await outcomes(roster, half, [row.text for row in of_split(clinc, "valid")])


async def outcomes(roster: Roster, half: Sequence[Turn], strangers: Sequence[str]) -> None:
    """What customers meet in conversations with the right agent: answers, questions, declines."""
    classifier = VectorClassifier(encoder_named("static"), encoder_named("onnx"))
    dice = random.Random(1)
    running = [turn for turn in half if turn.previous is not None]
    met: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for turn in dice.sample(running, 2000):
        request = ClassificationRequest(turn.text, roster, turn.history, turn.previous)
        met[turn.kind][(await classifier.classify(request)).outcome] += 1
    for text in strangers:
        host = dice.choice(running)
        request = ClassificationRequest(text, roster, host.history, host.previous)
        met["stranger"][(await classifier.classify(request)).outcome] += 1
    for kind, counts in met.items():
        total = sum(counts.values())
        shares = ", ".join(f"{outcome} {100 * count / total:.1f} %" for outcome, count in sorted(counts.items()))
        print(f"  {kind:9} {shares} (of {total})")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.router.dialogues", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with the routing sets")
    parser.add_argument("--fit", action="store_true", help="fit the gate first, and print its constants")
    parser.add_argument("--seeds", type=int, default=20, help="examples of each capability")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.data, arguments.fit, arguments.seeds))


if __name__ == "__main__":
    main()
