"""`TrainingSet`: a roster as labelled texts, in canonical order. What the vector classifier learns from.

Names and descriptions become texts too, so that an agent without examples can be found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from lmos.router.base import Roster, RosterAgent
from lmos.router.text import humanise, normalise, readable

__all__ = ["TrainingSet"]

Key = tuple[str, str]  # agent, capability; an agent without capabilities is its own, named ""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """n texts of C capabilities of A agents.

    `labels[n]` index `capabilities`, `agent_of[C]` index `agents`; `is_example[n]` is false for names and descriptions.
    Equal rosters give equal sets, in whatever order their agents, capabilities and examples come.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    is_example: NDArray[np.bool_]
    capabilities: tuple[Key, ...]
    agents: tuple[str, ...]
    agent_of: NDArray[np.int64]

    @classmethod
    def of(cls, roster: Roster) -> TrainingSet:
        """The texts of `roster`. Capabilities of one name of one agent are one, whatever their versions."""
        examples: dict[Key, set[str]] = defaultdict(set)
        described: dict[Key, set[str]] = defaultdict(set)
        for agent in roster.agents:
            for name, description, found in _capabilities(agent):
                key = agent.name, name
                examples[key].update(text for text in map(readable, found) if normalise(text))
                described[key].add(readable(f"{humanise(name or agent.name)}. {description}").strip(". "))
        keys = sorted(described)
        texts: list[str] = []
        labels: list[int] = []
        is_example: list[bool] = []
        for label, key in enumerate(keys):
            own = sorted(examples[key])
            about = sorted(text for text in described[key] if text and text not in examples[key])
            texts += own + about
            labels += [label] * (len(own) + len(about))
            is_example += [True] * len(own) + [False] * len(about)
        agents = sorted({agent for agent, _ in keys})
        return cls(
            texts=tuple(texts),
            labels=np.array(labels, np.int64),
            is_example=np.array(is_example, np.bool_),
            capabilities=tuple(keys),
            agents=tuple(agents),
            agent_of=np.array([agents.index(agent) for agent, _ in keys], np.int64),
        )

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all that can be learnt from."""
        return sha256(
            repr((self.texts, self.labels.tolist(), self.is_example.tolist(), self.capabilities)).encode(
                "utf-8", "replace"
            )
        ).hexdigest()

    def thinned(self, most: int) -> TrainingSet:
        """The set with at most `most` examples of each capability: the first by their hashes."""
        dealt: dict[int, int] = defaultdict(int)
        kept = ~self.is_example
        for row in self._by_hash():
            label = int(self.labels[row])
            if self.is_example[row] and dealt[label] < most:
                dealt[label] += 1
                kept[row] = True
        texts = tuple(text for text, keep in zip(self.texts, kept.tolist(), strict=True) if keep)
        return replace(self, texts=texts, labels=self.labels[kept], is_example=self.is_example[kept])

    def _by_hash(self) -> list[int]:
        return sorted(range(len(self.texts)), key=lambda i: sha256(self.texts[i].encode("utf-8", "replace")).digest())

    def folds(self, count: int) -> NDArray[np.int64]:
        """A fold in 0..count-1 for each example, -1 for other texts: spread evenly within each capability.

        Texts are dealt in the order of their hashes, so other capabilities do not change a capability's folds.
        """
        folds = np.full(len(self.texts), -1, np.int64)
        dealt: dict[int, int] = defaultdict(int)
        for row in self._by_hash():
            if self.is_example[row]:
                label = int(self.labels[row])
                folds[row] = dealt[label] % count
                dealt[label] += 1
        return folds


def _capabilities(agent: RosterAgent) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Name, description and examples of each capability; the agent itself where it has none."""
    if not agent.capabilities:
        yield "", agent.description, ()
    for capability in agent.capabilities:
        yield capability.name, capability.description or agent.description, capability.examples
