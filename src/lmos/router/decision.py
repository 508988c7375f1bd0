"""From probabilities to a decision: match, ask or decline, with candidates and a sentence that says why. Pure.

`vector` and `split` use it. With calibrated probabilities the two limits here are policy, not tuning.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lmos.conversation.events import Candidate, Outcome
from lmos.router.base import Classification
from lmos.router.cascade import Judged

__all__ = ["SURE_MARGIN", "candidates_of", "classification", "decide"]

# Ask when the best agent's probability is not this far above the second's: with two agents, send on at 85 %.
SURE_MARGIN = 0.7
MOST_CANDIDATES = 5
MOST_EXAMPLES = 3
LEAST_SIMILARITY = 0.3


def candidates_of(judged: Judged, agents: NDArray[np.float32]) -> tuple[Candidate, ...]:
    """The most probable agents by `agents[A]`, best first, ties by name, with best capability and nearest examples."""
    training, judgement = judged.lesson.training, judged.judgement
    order: list[int] = np.argsort(-agents, kind="stable")[:MOST_CANDIDATES].tolist()
    found: list[Candidate] = []
    for agent in order:
        own = training.agent_of == agent
        capability = int(np.argmax(np.where(own, judgement.capabilities, -1)))
        rows = np.flatnonzero(own[training.labels] & training.is_example)
        found.append(
            Candidate(
                agent=training.agents[agent],
                capability=training.capabilities[capability][1] or None,
                score=min(1.0, float(agents[agent])),
                examples=tuple(training.texts[row] for row in _nearest(rows, judgement.similarity)),
            )
        )
    return tuple(found)


def _nearest(rows: NDArray[np.int64], similarity: NDArray[np.float32]) -> list[int]:
    """The most similar of `rows`, best first, ties in their order."""
    own = similarity[rows]
    if len(rows) > MOST_EXAMPLES:
        enough = np.partition(own, -MOST_EXAMPLES)[-MOST_EXAMPLES]
        rows, own = rows[own >= enough], own[own >= enough]
    found: list[int] = rows[np.argsort(-own, kind="stable")][:MOST_EXAMPLES].tolist()
    return [row for row in found if similarity[row] >= LEAST_SIMILARITY]


def decide(candidates: tuple[Candidate, ...], *, in_scope: float, strategy: str) -> Classification:
    """The decision about a message that stands alone; `candidates` (at least one) are best first.

    `in_scope` is how far the message is above the limit to decline at; below 0 it is declined.
    """
    return replace(_decide(candidates, in_scope >= 0, strategy), in_scope=in_scope)


def _decide(candidates: tuple[Candidate, ...], in_scope: bool, strategy: str) -> Classification:
    best = candidates[0]
    if not in_scope:
        reason = f"Nothing that this channel's agents do is close to the message; the nearest is {_because(best)}."
        return classification("out_of_scope", (), candidates, strategy, reason)
    if len(candidates) > 1 and best.score - candidates[1].score < SURE_MARGIN:
        second = candidates[1]
        reason = f"The message may be for {best.agent!r} ({best.score:.0%}) or {second.agent!r} ({second.score:.0%})."
        return classification("ambiguous", (), candidates, strategy, reason)
    reason = f"The message is close to {_because(best)} ({best.score:.0%} sure)."
    return classification("match", (best.agent,), candidates, strategy, reason)


def classification(
    outcome: Outcome,
    agents: tuple[str, ...],
    candidates: tuple[Candidate, ...],
    strategy: str,
    reason: str,
    confidence: float | None = None,
) -> Classification:
    """A `Classification`; its confidence is the best candidate's score unless given."""
    if confidence is None:
        confidence = candidates[0].score if candidates else 0.0
    return Classification(outcome, agents, candidates, min(1.0, confidence), strategy, reason)


def _because(candidate: Candidate) -> str:
    if candidate.examples:
        return f"{candidate.examples[0]!r} of agent {candidate.agent!r}"
    return f"what agent {candidate.agent!r} is described as"
