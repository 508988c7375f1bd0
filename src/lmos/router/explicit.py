"""`ExplicitClassifier`: the caller named the agent, so nothing is guessed. It wraps what decides all other queries."""

from __future__ import annotations

from lmos.conversation.events import Candidate
from lmos.router.base import Classification, ClassificationRequest, Classifier, Roster, UnknownAgent

__all__ = ["ExplicitClassifier"]


class ExplicitClassifier:
    """Takes `explicit_agent` at its word when the roster has it; requests without one go to `otherwise`."""

    def __init__(self, otherwise: Classifier) -> None:
        self._otherwise = otherwise

    @property
    def name(self) -> str:
        return f"explicit+{self._otherwise.name}"

    async def prepare(self, roster: Roster) -> None:
        await self._otherwise.prepare(roster)

    async def classify(self, request: ClassificationRequest) -> Classification:
        """Decide. Raises `UnknownAgent` when the named agent does not serve this channel."""
        wanted = request.explicit_agent
        if wanted is None:
            return await self._otherwise.classify(request)
        if request.roster.agent(wanted) is None:
            known = ", ".join(sorted(agent.name for agent in request.roster.agents)) or "none"
            raise UnknownAgent(f"Agent {wanted!r} does not serve this channel: its agents are {known}")
        return Classification(
            outcome="match",
            agents=(wanted,),
            candidates=(Candidate(agent=wanted, score=1.0),),
            confidence=1.0,
            strategy="explicit",
            reason=f"The request names agent {wanted!r}.",
        )
