"""Puts labelled messages to a classifier, one by one, and writes down what it says.

Dialogues come with the agent that the conversation is with: the label's, or (`self_fed`) the one that the classifier's
own last decision chose. Then a question or a decline counts as its best candidate, the likeliest to be chosen next.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmos.router.base import Classification, ClassificationRequest, Classifier, Roster
from lmos.router.evaluation.data import DataError, Row

__all__ = ["Played", "Prediction", "play", "prediction_lines"]

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A row and the decision on it, which took `milliseconds`."""

    row: Row
    decision: Classification
    milliseconds: float

    @property
    def agent(self) -> str | None:
        """The best candidate, also when abstaining, and of several agents that match."""
        if len(self.decision.agents) == 1:
            return self.decision.agents[0]
        return self.decision.candidates[0].agent if self.decision.candidates else None

    @property
    def capability(self) -> str | None:
        return next((c.capability for c in self.decision.candidates if c.agent == self.agent), None)

    @property
    def probability(self) -> float:
        return next((c.score for c in self.decision.candidates if c.agent == self.agent), self.decision.confidence)

    @property
    def in_scope(self) -> float:
        """How much the message looks in scope. A classifier without a measure of it has its decision alone."""
        if self.decision.in_scope is not None:
            return self.decision.in_scope
        return self.probability - (1.0 if self.decision.outcome == "out_of_scope" else 0.0)

    @property
    def right(self) -> bool:
        """Whether the best candidate counts as right; never for a message that nobody should answer."""
        return not self.row.foreign and self.agent in (self.row.accept or (self.row.agent,))


@dataclass(frozen=True, slots=True)
class Played:
    """All predictions, in the order of the rows, and the seconds that learning the roster took."""

    predictions: tuple[Prediction, ...]
    learning_seconds: float


async def play(
    classifier: Classifier,
    roster: Roster,
    rows: Sequence[Row],
    *,
    self_fed: bool = False,
    clock: Clock = time.perf_counter,
) -> Played:
    """Classify `rows`. Raises what the classifier does, and `DataError` for a dialogue whose turns are out of order."""
    begin = clock()
    await classifier.prepare(roster)
    learning = clock() - begin
    chosen: dict[str, str | None] = {}
    turns: dict[str, int] = {}
    predictions: list[Prediction] = []
    for row in rows:
        current = chosen.get(row.dialogue) if self_fed and row.dialogue else row.previous
        if self_fed and row.dialogue:
            _check_order(turns, row)
        request = ClassificationRequest(row.text, roster, row.history, current_agent=current)
        start = clock()
        decision = await classifier.classify(request)
        predictions.append(Prediction(row, decision, (clock() - start) * 1000))
        chosen[row.dialogue] = predictions[-1].agent or current
    return Played(tuple(predictions), learning)


def _check_order(turns: dict[str, int], row: Row) -> None:
    if row.turn <= turns.get(row.dialogue, -1):
        raise DataError(
            f"turn {row.turn} of dialogue {row.dialogue!r} comes after turn {turns[row.dialogue]}; fix: sort each "
            "dialogue by turn, and give each a name of its own"
        )
    turns[row.dialogue] = row.turn


def prediction_lines(predictions: Sequence[Prediction]) -> list[str]:
    """JSON lines: the fields of the row, and what was decided."""
    return [json.dumps(_record(one), ensure_ascii=False) for one in predictions]


def _record(one: Prediction) -> Mapping[str, Any]:
    return {
        **one.row.fields,
        "outcome": one.decision.outcome,
        "predicted_agent": one.agent,
        "predicted_capability": one.capability,
        "probability": round(one.probability, 6),
        "in_scope": round(one.in_scope, 6),
        "candidates": [
            {"agent": c.agent, "capability": c.capability, "score": round(c.score, 6)} for c in one.decision.candidates
        ],
        "ms": round(one.milliseconds, 3),
    }
