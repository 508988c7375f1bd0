"""`RecordedClassifier`: a language model's answers from a file, for the place of the model in the hybrid.

The file has JSON lines `{"text": message, "agent": name or null}`; gzip is read too. So answers that cost money once
can be replayed for ever.
"""

from __future__ import annotations

from pathlib import Path

from lmos.conversation.events import Candidate
from lmos.router.asking import ModelUnavailable
from lmos.router.base import Classification, ClassificationRequest, Roster
from lmos.router.evaluation.data import NONE, DataError, read_answers
from lmos.router.llm import MODEL_ACCURACY

__all__ = ["RecordedClassifier"]


class RecordedClassifier:
    """Gives the recorded answer to a message; where there is none the model is unavailable, and `missing` counts it.

    The model chose from all agents, so its answer counts also where a shortlist does not have it.
    """

    def __init__(self, path: Path) -> None:
        """Raises `DataError` for a file of another format, or two answers to one text."""
        self._answers: dict[str, str] = {}
        self.missing = 0
        for where, text, agent in read_answers(path):
            if self._answers.setdefault(text, agent) != agent:
                raise DataError(f"{where}: a second answer to {text!r}; fix: keep one")

    @property
    def name(self) -> str:
        return "recorded"

    async def prepare(self, roster: Roster) -> None:
        """Nothing is learnt from a roster here."""

    async def classify(self, request: ClassificationRequest) -> Classification:
        """The recorded decision. Raises `ModelUnavailable` where there is none."""
        agent = self._answers.get(request.query)
        if agent is None:
            self.missing += 1
            raise ModelUnavailable(f"There is no recorded answer to {request.query!r}")
        if agent == NONE:
            return Classification("out_of_scope", (), (), 0.0, self.name, "The recorded answer names no agent.")
        candidate = Candidate(agent=agent, score=MODEL_ACCURACY)
        reason = f"The recorded answer is agent {agent!r}."
        return Classification("match", (agent,), (candidate,), MODEL_ACCURACY, self.name, reason)
