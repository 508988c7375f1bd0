"""Examines a roster before customers do: what its own examples, judged by routers that never saw them, say of it.

Every finding names what to change. It needs no labelled test data: where an example is taken for another agent's, so
will be the customers' messages like it. It knows the router by its ports alone, as customers meet it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Literal

import numpy as np

from lmos.conversation.events import Candidate
from lmos.encoders.base import Encoder, Vectors
from lmos.router.base import Classification, ClassificationRequest, Classifier, Roster
from lmos.router.evaluation.metrics import Share
from lmos.router.text import humanise, normalise, readable

__all__ = ["Checkup", "Finding", "examine"]

Level = Literal["error", "warning"]
Key = tuple[str, str]
"""Agent and capability."""

FOLDS: Final = 5
MANY_EXAMPLES: Final = 1000
"""With more examples two of five folds are judged: learning takes long then, and so many say as much as all."""

FOLDS_OF_MANY: Final = 2
ENOUGH_EXAMPLES: Final = 3
"""With fewer, a customer who puts it in other words is likely not understood."""

SURELY: Final = 0.8
NEARLY_EQUAL: Final = 0.95
ALIKE: Final = 0.9
_MOST_PAIRS: Final = 20
_BLOCK: Final = 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to change. `kind` is `duplicate`, `overlap`, `confusable`, `few-examples` or `alike`."""

    level: Level
    kind: str
    where: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Checkup:
    """What to expect of a roster, from its own examples.

    `covered`: examples that were not declined; `direct`: matched without a question; `right`: the right agent of these.
    The router that judged an example was learnt without it. Empty shares where there are no examples to leave out.
    """

    agents: int
    capabilities: int
    examples: int
    encoder: str
    covered: Share
    direct: Share
    right: Share
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Example:
    owner: Key
    text: str
    fold: int


@dataclass(frozen=True, slots=True)
class _Judged:
    """An example, and what a router that never saw it decided."""

    example: _Example
    decision: Classification

    @property
    def right(self) -> bool:
        return bool(self.decision.candidates) and self.decision.candidates[0].agent == self.example.owner[0]

    @property
    def rival(self) -> Candidate | None:
        """The best candidate of another agent."""
        return next((c for c in self.decision.candidates if c.agent != self.example.owner[0]), None)


async def examine(roster: Roster, encoder: Encoder, classifier: Callable[[], Classifier]) -> Checkup:
    """Examine `roster` (at least one agent). `classifier` makes a router that has learnt nothing yet.

    Takes as long as learning the roster five times. Raises what encoder and router do.
    """
    examples = _examples(roster)
    judged = await _judge(roster, examples, classifier)
    covered = [one for one in judged if one.decision.outcome != "out_of_scope"]
    direct = [one for one in judged if one.decision.outcome == "match"]
    vectors = await encoder.encode([example.text for example in examples])
    described = _descriptions(roster)
    findings = (
        *_duplicates(examples),
        *_confusable(judged),
        *_few(roster, examples),
        *_overlaps(examples, vectors),
        *_alike(list(described), await encoder.encode(list(described.values()))),
    )
    return Checkup(
        agents=len(roster.agents),
        capabilities=sum(len(agent.capabilities) for agent in roster.agents),
        examples=len(examples),
        encoder=encoder.name,
        covered=Share(len(covered), len(judged)),
        direct=Share(len(direct), len(judged)),
        right=Share(sum(one.right for one in direct), len(direct)),
        findings=tuple(sorted(findings, key=lambda one: one.level)),
    )


def _examples(roster: Roster) -> list[_Example]:
    """The examples in the order of their owners, each once; folds are dealt by the hash of the text."""
    found: list[_Example] = []
    for agent in roster.agents:
        for capability in agent.capabilities:
            texts = dict.fromkeys(text for text in map(readable, capability.examples) if normalise(text))
            order = sorted(texts, key=lambda text: sha256(text.encode("utf-8", "replace")).digest())
            folds = {text: place % FOLDS for place, text in enumerate(order)}
            found += [_Example((agent.name, capability.name), text, folds[text]) for text in texts]
    return found


async def _judge(roster: Roster, examples: Sequence[_Example], classifier: Callable[[], Classifier]) -> list[_Judged]:
    """Each example of the judged folds, decided by a router that was learnt without its fold."""
    judged: list[_Judged] = []
    for fold in range(FOLDS if len(examples) <= MANY_EXAMPLES else FOLDS_OF_MANY):
        held = [example for example in examples if example.fold == fold]
        if held:
            router, rest = classifier(), _without(roster, held)
            for example in held:
                judged.append(_Judged(example, await router.classify(ClassificationRequest(example.text, rest))))
    return judged


def _without(roster: Roster, held: Sequence[_Example]) -> Roster:
    gone = {(example.owner, example.text) for example in held}

    def left(owner: Key, examples: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(text for text in examples if (owner, readable(text)) not in gone)

    return Roster(
        tuple(
            replace(
                agent,
                capabilities=tuple(
                    replace(c, examples=left((agent.name, c.name), c.examples)) for c in agent.capabilities
                ),
            )
            for agent in roster.agents
        )
    )


def _duplicates(examples: Sequence[_Example]) -> Iterator[Finding]:
    owners: dict[str, dict[str, str]] = defaultdict(dict)
    for example in examples:
        owners[normalise(example.text)].setdefault(example.owner[0], example.text)
    for agents in owners.values():
        if len(agents) > 1:
            names = " and ".join(map(repr, sorted(agents)))
            message = f"{next(iter(agents.values()))!r} is an example of agents {names}"
            yield Finding("error", "duplicate", names, message, "keep it where it belongs and remove it elsewhere")


def _confusable(judged: Sequence[_Judged]) -> Iterator[Finding]:
    """Pairs of capabilities of two agents of which examples of one are taken for the other, worst first."""
    wrong: dict[tuple[Key, Key], list[_Judged]] = defaultdict(list)
    unsure: dict[tuple[Key, Key], int] = defaultdict(int)
    totals: dict[Key, int] = defaultdict(int)
    for one in judged:
        totals[one.example.owner] += 1
        if one.rival is not None:
            pair = one.example.owner, (one.rival.agent, one.rival.capability or "")
            if not one.right:
                wrong[pair].append(one)
            elif one.decision.outcome == "ambiguous":
                unsure[pair] += 1
    pairs = sorted({*wrong, *unsure}, key=lambda pair: (-2 * len(wrong[pair]) - unsure[pair], pair))
    for pair in [pair for pair in pairs if wrong[pair] or unsure[pair] > 1][:_MOST_PAIRS]:
        yield _pair(pair, wrong[pair], unsure[pair], totals[pair[0]])


def _pair(pair: tuple[Key, Key], wrong: Sequence[_Judged], unsure: int, total: int) -> Finding:
    here, there = map(_name, pair)
    message = f"of {total} examples of {here}, {len(wrong)} are taken for {there}, {unsure} lie between the two"
    if not wrong:
        return Finding("warning", "confusable", here, message, "add to both examples with words that only one has")
    worst = max(wrong, key=_certainty)
    text = worst.example.text
    if _certainty(worst) >= SURELY:
        fix = f"move {text!r} to {there} if it belongs there, else reword it and add to {here} others like it"
    else:
        fix = f"add to {here} two or three more ways to say {text!r}"
    return Finding("warning", "confusable", here, message, fix)


def _certainty(one: _Judged) -> float:
    return one.rival.score if one.rival is not None else 0.0


def _few(roster: Roster, examples: Sequence[_Example]) -> Iterator[Finding]:
    counts: dict[Key, int] = defaultdict(int)
    for example in examples:
        counts[example.owner] += 1
    for agent in roster.agents:
        for name in [capability.name for capability in agent.capabilities] or [""]:
            found = counts[agent.name, name]
            if found < ENOUGH_EXAMPLES:
                have = {0: "no example", 1: "one example"}.get(found, f"{found} examples")
                where = _name((agent.name, name))
                fix = f"add {ENOUGH_EXAMPLES - found} or more, as customers put it, each with other words"
                yield Finding("warning", "few-examples", where, f"{where} has {have}", fix)


def _overlaps(examples: Sequence[_Example], vectors: Vectors) -> Iterator[Finding]:
    """Examples of two agents that say nearly the same; equal ones are `duplicate`."""
    for start in range(0, len(examples), _BLOCK):
        close = vectors[start : start + _BLOCK] @ vectors.T >= NEARLY_EQUAL
        for a, b in np.argwhere(close).tolist():
            one, two = examples[start + a], examples[b]
            if start + a < b and one.owner[0] != two.owner[0] and normalise(one.text) != normalise(two.text):
                here, there = _name(one.owner), _name(two.owner)
                message = f"{one.text!r} of {here} says nearly the same as {two.text!r} of {there}"
                yield Finding("warning", "overlap", here, message, "keep one of them, or say in each what differs")


def _descriptions(roster: Roster) -> Mapping[Key, str]:
    """What each capability is called and does, as the router reads it."""
    return {
        (agent.name, capability.name): f"{humanise(capability.name)}. {capability.description or agent.description}"
        for agent in roster.agents
        for capability in agent.capabilities
    }


def _alike(keys: Sequence[Key], vectors: Vectors) -> Iterator[Finding]:
    """Capabilities of two agents that are described alike."""
    for a, b in np.argwhere(np.triu(vectors @ vectors.T >= ALIKE, 1)).tolist():
        if keys[a][0] != keys[b][0]:
            message = f"{_name(keys[a])} and {_name(keys[b])} are described alike"
            fix = "say in each description what the other does not do"
            yield Finding("warning", "alike", _name(keys[a]), message, fix)


def _name(key: Key) -> str:
    return repr("/".join(filter(None, key)))
