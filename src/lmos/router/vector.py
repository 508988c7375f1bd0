"""`VectorClassifier`: decides by examples, names and descriptions alone: no language model, no network, no tuning.

`lesson` holds what a roster teaches, `cascade` chooses the encoder, `dialogue` reads the conversation; they meet here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lmos.encoders.base import Encoder
from lmos.router.base import Classification, ClassificationRequest, Explanation, Roster
from lmos.router.cascade import Cascade, Judged
from lmos.router.clarify import chosen_topic
from lmos.router.decision import SURE_MARGIN, candidates_of, classification, decide
from lmos.router.dialogue import Cues, blend, clearly_elsewhere, leaving_probability, observe, stands_alone
from lmos.router.split import joined, parts_of
from lmos.router.text import normalise, readable

__all__ = ["VectorClassifier"]

# From this probability of leaving on, a message is judged as if it were the first.
LEAVE = 0.5


class VectorClassifier:
    """Classifies by the similarity of a message to each capability's texts.

    With several encoders, fastest first, a slower one is asked only when those before it are not sure.
    """

    def __init__(self, *encoders: Encoder) -> None:
        self._cascade = Cascade(encoders)

    @property
    def name(self) -> str:
        return "vector"

    @property
    def cascade(self) -> Cascade:
        """For those who explain or measure decisions."""
        return self._cascade

    async def prepare(self, roster: Roster) -> None:
        """Learn `roster`, and wait until its calibration is done. Raises `EncoderError`."""
        if roster.agents:
            await self._cascade.learner.settled(roster)

    async def classify(self, request: ClassificationRequest) -> Classification:
        """Decide. Raises `EncoderError` when an encoder fails."""
        if not request.roster.agents:
            return classification("out_of_scope", (), (), self.name, "No agent serves this channel.")
        judged = await self._cascade.judge(request.roster, readable(request.query))
        current = request.current_agent if request.roster.agent(request.current_agent or "") else None
        found = (
            self._certain(request, judged, current)
            or await self._several(request, judged)
            or self._weigh(request, judged, current)
        )
        return replace(
            found,
            in_scope=judged.in_scope if found.in_scope is None else found.in_scope,
            explanation=found.explanation or _explanation(judged),
        )

    def _certain(self, request: ClassificationRequest, judged: Judged, current: str | None) -> Classification | None:
        """What needs no weighing: no words, an answer to our own question, an example word for word."""
        normal = normalise(request.query)
        if not normal and current is None:
            reason = "The message has no words."
            candidates = candidates_of(judged, judged.judgement.agents)
            return classification("out_of_scope", (), candidates, self.name, reason, 0.0)
        if not normal:
            reason = f"The message has no words, so it stays with agent {current!r}."
            return self._settled(judged, str(current), reason)
        chosen = chosen_topic(request)
        if chosen is not None:
            return self._settled(judged, chosen, f"The message answers our question: agent {chosen!r}.")
        owners = judged.lesson.exact.get(normal) or judged.lesson.exact.get(normalise(judged.text), frozenset())
        if len(owners) == 1 or current in owners:
            owner = current if current in owners else min(owners)
            return self._settled(judged, str(owner), f"The message is an example of agent {owner!r}.")
        return None

    def _settled(self, judged: Judged, agent: str, reason: str) -> Classification:
        """A match that is beyond doubt: the agent comes first with score 1, the others with what is left: 0."""
        certain = np.zeros(len(judged.lesson.training.agents), np.float32)
        certain[judged.lesson.training.agents.index(agent)] = 1.0
        return classification("match", (agent,), candidates_of(judged, certain), self.name, reason)

    async def _several(self, request: ClassificationRequest, judged: Judged) -> Classification | None:
        """A decision for several agents, when the message surely holds several wishes."""
        parts = parts_of(judged.text)
        found: list[Classification] = []
        for part in parts:
            own = await self._cascade.judge(request.roster, part)
            found.append(decide(candidates_of(own, own.judgement.agents), in_scope=own.in_scope, strategy=self.name))
            if found[-1].outcome != "match":
                return None
        return joined(parts, found, self.name) if found else None

    def _weigh(self, request: ClassificationRequest, judged: Judged, current: str | None) -> Classification:
        if current is None:
            candidates = candidates_of(judged, judged.judgement.agents)
            return decide(candidates, in_scope=judged.in_scope, strategy=self.name)
        cues = observe(request.query, request.history, judged, current)
        leaving = leaving_probability(cues)
        return replace(self._go_on(request, judged, current, cues, leaving), explanation=_explanation(judged, leaving))

    def _go_on(
        self, request: ClassificationRequest, judged: Judged, current: str, cues: Cues, leaving: float
    ) -> Classification:
        """The decision about a message that reaches agent `current`."""
        alone = decide(candidates_of(judged, judged.judgement.agents), in_scope=judged.in_scope, strategy=self.name)
        own = judged.lesson.training.agents.index(current)
        agents = blend(judged.judgement.agents, own, leaving)
        # It may well leave, but not for an agent that is less likely than the current one.
        together = decide(candidates_of(judged, agents), in_scope=judged.in_place, strategy=self.name)
        if clearly_elsewhere(cues) or (leaving >= LEAVE and int(agents.argmax()) != own):
            return alone
        if stands_alone(request.query, cues, judged.in_scope >= 0):
            if alone.outcome == "ambiguous":
                return _asked_on(alone, together, current)
            if together.outcome != "match":
                return together
        reason = f"The message goes on with the topic of agent {current!r} ({1 - leaving:.0%} sure)."
        return classification("match", (current,), together.candidates, self.name, reason)


def _asked_on(alone: Classification, together: Classification, current: str) -> Classification:
    """The question about a message that is not clear by itself, when the conversation most likely goes on: whatever is
    asked, the current agent is the best candidate."""
    reason = f"{alone.reason} The conversation is with agent {current!r}."
    return replace(alone, candidates=together.candidates, confidence=together.confidence, reason=reason)


def _explanation(judged: Judged, leaving: float | None = None) -> Explanation:
    encoder = judged.lesson.tiers[judged.tier].encoder
    return Explanation(encoder, judged.judgement.scope, judged.calibration.threshold, SURE_MARGIN, leaving, LEAVE)
