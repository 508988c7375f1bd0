"""`VectorClassifier`: decides by examples, names and descriptions alone: no language model, no network, no tuning.

The model and its constants come from the roster (`learning`); this module turns a judgement into a decision.
"""

from __future__ import annotations

import numpy as np

from lmos.conversation.events import Candidate, Outcome
from lmos.encoders.base import Encoder
from lmos.encoders.cached import CachedEncoder
from lmos.router.base import Classification, ClassificationRequest
from lmos.router.dialogue import has_content, stands_alone
from lmos.router.learning import Judgement, Learner, Learnt
from lmos.router.text import normalise, readable

__all__ = ["VectorClassifier"]

# Ask when the best agent's probability is not this far above the second's. With honest probabilities this is a policy,
# not a tuned number: it sends on what is at least 80 % sure, in the case of two agents.
SURE_MARGIN = 0.6
MOST_CANDIDATES = 5
MOST_EXAMPLES = 3
LEAST_SIMILARITY = 0.3


class VectorClassifier:
    """Classifies by the similarity of a query to each capability's examples."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = CachedEncoder(encoder)
        self._learner = Learner(self._encoder)

    @property
    def name(self) -> str:
        return "vector"

    async def classify(self, request: ClassificationRequest) -> Classification:
        """Decide. Raises `EncoderError` when the encoder fails."""
        if not request.roster.agents:
            return self._answer("out_of_scope", None, (), 0.0, "No agent serves this channel.")
        learnt = await self._learner.learnt(request.roster)
        text = readable(request.query)
        vector = (await self._encoder.encode([text]))[0]
        judgement = learnt.judge(text, vector)
        candidates = _candidates(learnt, judgement)
        current = request.current_agent if request.roster.agent(request.current_agent or "") else None
        if not normalise(text):
            if current is None:
                return self._answer("out_of_scope", None, candidates, 0.0, "The message has no words.")
            return self._stay(current, candidates, "The message has no words, so")
        exact = learnt.exact.get(normalise(text), frozenset())
        if len(exact) == 1 or current in exact:
            agent = current if current in exact else min(exact)
            reason = f"The message is one of the examples of agent {agent!r}."
            return self._answer("match", agent, candidates, 1.0, reason)
        return self._weigh(request, learnt, judgement, candidates, current)

    def _weigh(
        self,
        request: ClassificationRequest,
        learnt: Learnt,
        judgement: Judgement,
        candidates: tuple[Candidate, ...],
        current: str | None,
    ) -> Classification:
        best = candidates[0]
        margin = best.score - (candidates[1].score if len(candidates) > 1 else 0.0)
        in_scope = judgement.scope >= learnt.calibration.threshold
        sure = in_scope and margin >= SURE_MARGIN
        leaves = sure and best.agent != current and has_content(request.query)
        if current is not None and not leaves and (sure or not stands_alone(request.query, request.history, in_scope)):
            return self._stay(current, candidates, "The message goes on with the topic, so")
        if not in_scope:
            reason = f"Nothing that this channel's agents do is close to the message; the closest is {_because(best)}."
            return self._answer("out_of_scope", None, candidates, best.score, reason)
        if margin < SURE_MARGIN and len(candidates) > 1:
            second = candidates[1]
            reason = (
                f"The message may be for {best.agent!r} ({best.score:.0%}) or {second.agent!r} ({second.score:.0%})."
            )
            return self._answer("ambiguous", None, candidates, best.score, reason)
        reason = f"{best.score:.0%} sure: the message is close to {_because(best)}."
        return self._answer("match", best.agent, candidates, best.score, reason)

    def _stay(self, current: str, candidates: tuple[Candidate, ...], because: str) -> Classification:
        own = next((c.score for c in candidates if c.agent == current), 0.0)
        return self._answer("match", current, candidates, max(own, 0.5), f"{because} it stays with agent {current!r}.")

    def _answer(
        self, outcome: Outcome, agent: str | None, candidates: tuple[Candidate, ...], confidence: float, reason: str
    ) -> Classification:
        return Classification(
            outcome=outcome,
            agents=() if agent is None else (agent,),
            candidates=candidates,
            confidence=round(float(confidence), 6),
            strategy=self.name,
            reason=reason,
        )


def _because(candidate: Candidate) -> str:
    if candidate.examples:
        return f"{candidate.examples[0]!r} of agent {candidate.agent!r}"
    return f"agent {candidate.agent!r}"


def _candidates(learnt: Learnt, judgement: Judgement) -> tuple[Candidate, ...]:
    """The most probable agents, best first, ties by name, each with its best capability and nearest examples."""
    training = learnt.training
    order: list[int] = np.argsort(-judgement.agents, kind="stable")[:MOST_CANDIDATES].tolist()
    found: list[Candidate] = []
    for agent in order:
        own = training.agent_of == agent
        capability = int(np.argmax(np.where(own, judgement.capabilities, -1)))
        rows = np.flatnonzero(own[training.labels] & training.is_example)
        near: list[int] = rows[np.argsort(-judgement.similarity[rows], kind="stable")][:MOST_EXAMPLES].tolist()
        examples = [training.texts[row] for row in near if judgement.similarity[row] >= LEAST_SIMILARITY]
        found.append(
            Candidate(
                agent=training.agents[agent],
                capability=training.capabilities[capability][1] or None,
                score=min(1.0, float(judgement.agents[agent])),
                examples=tuple(examples),
            )
        )
    return tuple(found)
