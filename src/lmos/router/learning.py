"""`Learner`: what a roster teaches, learnt once and remembered by the roster's digest. `VectorClassifier` asks it.

Learning runs in a worker thread: queries of other channels are answered meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmos.encoders.base import Encoder, Vectors
from lmos.router.base import Roster
from lmos.router.calibration import Calibration
from lmos.router.examples import TrainingSet
from lmos.router.features import count_ngrams
from lmos.router.model import CapabilityModel, cross_validate
from lmos.router.text import normalise

__all__ = ["Judgement", "Learner", "Learnt"]

FOLDS = 5
MOST_ROSTERS = 64


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the model says of one text: probabilities of capabilities `[C]` and agents `[A]`, similarity to each
    training text `[n]`, and the in-scope score."""

    capabilities: NDArray[np.float32]
    agents: NDArray[np.float32]
    similarity: NDArray[np.float32]
    scope: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """A roster's training texts with the model and calibration learnt from them.

    `exact` maps the normal form of each example to the agents that have it.
    """

    training: TrainingSet
    model: CapabilityModel
    calibration: Calibration
    exact: dict[str, frozenset[str]]

    @classmethod
    def of(cls, training: TrainingSet, vectors: Vectors) -> Learnt:
        """Learn from `vectors[n, d]` of the training texts (n >= 1). Takes 10 ms for 40 texts, seconds for 3,000."""
        counts = count_ngrams(training.texts)
        classes = len(training.capabilities)
        held_out = cross_validate(vectors, counts, training.labels, training.folds(FOLDS))
        exact: dict[str, set[str]] = defaultdict(set)
        examples: list[int] = np.flatnonzero(training.is_example).tolist()
        for row in examples:
            exact[normalise(training.texts[row])].add(training.capabilities[int(training.labels[row])][0])
        return cls(
            training,
            CapabilityModel.fit(vectors, counts, training.labels, classes),
            Calibration.fit(held_out, training.labels[training.is_example]),
            {text: frozenset(agents) for text, agents in exact.items()},
        )

    def judge(self, text: str, vector: Vectors) -> Judgement:
        """Judge one text by its vector (`float32[d]`) and n-grams."""
        evidence = self.model.evidence(vector[None, :], count_ngrams([text]))
        capabilities = self.calibration.probabilities(evidence)
        agents = np.bincount(self.training.agent_of, capabilities[0], len(self.training.agents))
        return Judgement(
            capabilities[0],
            agents.astype(np.float32),
            self.model.vectors @ vector,
            float(self.calibration.in_scope(evidence, capabilities)[0]),
        )


class Learner:
    """Keeps what the most recently used rosters taught. Requests that come while it learns wait for the same result."""

    def __init__(self, encoder: Encoder, most_rosters: int = MOST_ROSTERS) -> None:
        self._encoder = encoder
        self._most_rosters = most_rosters
        self._learnt: OrderedDict[str, Learnt] = OrderedDict()
        self._running: dict[str, asyncio.Task[Learnt]] = {}

    async def learnt(self, roster: Roster) -> Learnt:
        """What `roster` (at least one agent) teaches. Raises `EncoderError` when its texts cannot be encoded."""
        digest = roster.digest
        known = self._learnt.get(digest)
        if known is not None:
            self._learnt.move_to_end(digest)
            return known
        task = self._running.get(digest)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = asyncio.create_task(self._learn(roster))
            self._running[digest] = task
            task.add_done_callback(lambda done: self._finish(digest, done))
        return await asyncio.shield(task)  # a customer who leaves must not stop the others' lesson

    async def _learn(self, roster: Roster) -> Learnt:
        training = TrainingSet.of(roster)
        vectors = await self._encoder.encode(training.texts)
        return await asyncio.to_thread(Learnt.of, training, vectors)

    def _finish(self, digest: str, task: asyncio.Task[Learnt]) -> None:
        if self._running.get(digest) is task:
            del self._running[digest]
        if task.cancelled() or task.exception() is not None:
            return
        self._learnt[digest] = task.result()
        while len(self._learnt) > self._most_rosters:
            self._learnt.popitem(last=False)
