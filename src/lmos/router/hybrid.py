"""Vectors and a language model together: fast and calibrated where it is clear, a model's reading where it is not.

`HybridClassifier` asks the model only about messages that the vector classifier is unsure of. `AbstractingClassifier`
is the older way: the model states the wish, vectors decide. Neither fails when the model does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from lmos.conversation.events import Candidate
from lmos.models.base import Model, ModelMessage
from lmos.router.answers import Unreadable, json_answer
from lmos.router.asking import ModelUnavailable, ask, conversation
from lmos.router.base import Classification, ClassificationRequest, Classifier, ClassifierError, Roster
from lmos.router.language import language_of
from lmos.router.llm import MODEL_ACCURACY, LlmOptions
from lmos.router.roster_text import tokens
from lmos.router.text import normalise
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["SURELY_NONE", "AbstractingClassifier", "HybridClassifier"]

_log = logger("router")

SURELY_NONE: Final = -4.0
"""In-scope scores below this need no second opinion. The score adds two values in standard deviations."""

_WISH_SCHEMA: Final[Mapping[str, Any]] = {
    "title": "Wish",
    "type": "object",
    "properties": {"wish": {"type": "string", "description": "What the customer wants, in one sentence."}},
    "required": ["wish"],
    "additionalProperties": False,
}


class HybridClassifier:
    """`vector` decides when it is sure of an agent, or that there is none; else `model` picks from its shortlist.

    When the message looks foreign, but not surely, the model sees the whole roster. When the model does not answer, the
    decision is vector's best with outcome `ambiguous`: the customer is asked.
    """

    def __init__(self, vector: Classifier, model: Classifier, *, surely_none: float = SURELY_NONE) -> None:
        self._vector = vector
        self._model = model
        self._surely_none = surely_none

    @property
    def name(self) -> str:
        return "hybrid"

    async def prepare(self, roster: Roster) -> None:
        await self._vector.prepare(roster)

    async def classify(self, request: ClassificationRequest) -> Classification:
        """Decide. Raises what `vector` does."""
        first = await self._vector.classify(request)
        if self._sure(first, request):
            return replace(first, strategy=self.name)
        roster = _shortlist(request, first) if first.outcome == "ambiguous" else request.roster
        try:
            second = await self._model.classify(replace(request, roster=roster))
        except ClassifierError as error:
            _log.warning(names.EVENT_ROUTER_MODEL_FAILED, error=str(error))
            return _undecided(first, self.name)
        return _combined(first, second, request.roster, len(roster.agents), self.name)

    def _sure(self, first: Classification, request: ClassificationRequest) -> bool:
        if first.outcome == "match" or not first.candidates or not normalise(request.query):
            return True
        return first.outcome == "out_of_scope" and first.in_scope is not None and first.in_scope < self._surely_none


def _shortlist(request: ClassificationRequest, first: Classification) -> Roster:
    """The candidates, and the agent that the conversation is with."""
    wanted = {candidate.agent for candidate in first.candidates} | {request.current_agent}
    return Roster(tuple(agent for agent in request.roster.agents if agent.name in wanted))


def _undecided(first: Classification, strategy: str) -> Classification:
    """What is left without the model: the question between the best two, or the decline where there is one agent."""
    reason = f"{first.reason.rstrip('.')}; the language model did not answer."
    if len(first.candidates) < 2:
        return replace(first, strategy=strategy, reason=reason)
    return replace(first, outcome="ambiguous", agents=(), strategy=strategy, reason=reason)


def _combined(
    first: Classification, second: Classification, roster: Roster, shown: int, strategy: str
) -> Classification:
    """The model's decision with vectors' candidates; `shown` agents were put to the model."""
    if second.outcome != "match" or roster.agent(second.agents[0]) is None:
        return replace(first, outcome="out_of_scope", agents=(), strategy=strategy, reason=second.reason)
    candidates = _posterior(first.candidates, second.agents[0], shown)
    return Classification(
        "match", second.agents, candidates, candidates[0].score, strategy, second.reason, first.in_scope
    )


def _posterior(candidates: tuple[Candidate, ...], chosen: str, agents: int) -> tuple[Candidate, ...]:
    """Vector's probabilities after a witness who is right `MODEL_ACCURACY` of the time has named `chosen`.

    The chosen agent comes first, whatever its probability.
    """
    wrong = (1 - MODEL_ACCURACY) / max(agents - 1, 1)
    known = {candidate.agent: candidate for candidate in candidates}
    # An agent beyond the listed candidates has at most what they leave.
    rest = max(1 - sum(candidate.score for candidate in candidates), 1e-3)
    named = known.pop(chosen, Candidate(agent=chosen, score=min(rest, 1.0)))
    weight = named.score * MODEL_ACCURACY
    total = weight + (1 - named.score) * wrong or 1.0
    best = named.model_copy(update={"score": min(1.0, weight / total)})
    others = [
        candidate.model_copy(update={"score": min(best.score, candidate.score * wrong / total)})
        for candidate in known.values()
    ]
    return (best, *sorted(others, key=lambda candidate: (-candidate.score, candidate.agent)))


class AbstractingClassifier:
    """The model says in one sentence what the customer wants, earlier messages included; `decide` classifies that.

    Without an answer of the model, `decide` gets the message as it is.
    """

    def __init__(self, decide: Classifier, model: Model, options: LlmOptions | None = None) -> None:
        self._decide = decide
        self._model = model
        self._options = options or LlmOptions()

    @property
    def name(self) -> str:
        return "hybrid-abstract"

    async def prepare(self, roster: Roster) -> None:
        await self._decide.prepare(roster)

    async def classify(self, request: ClassificationRequest) -> Classification:
        """Decide. Raises what `decide` does."""
        if not normalise(request.query) or not request.roster.agents:
            return replace(await self._decide.classify(request), strategy=self.name)
        try:
            wish = await self._wish(request)
        except ModelUnavailable as error:
            _log.warning(names.EVENT_ROUTER_MODEL_FAILED, error=str(error))
            found = await self._decide.classify(request)
            reason = f"{found.reason.rstrip('.')}; the language model did not answer."
            return replace(found, strategy=self.name, reason=reason)
        # The wish stands alone: the current agent is in it already, where the message was about it.
        found = await self._decide.classify(replace(request, query=wish, history=(), current_agent=None))
        reason = f"The model reads the message as {wish!r}. {found.reason}"
        return replace(found, strategy=self.name, reason=reason)

    async def _wish(self, request: ClassificationRequest) -> str:
        limits, language = self._options.limits, language_of(request.query)
        variables = {"tenant": request.tenant, "channel": request.channel, "query": request.query, "language": language}
        system = self._options.prompts.render("abstract", language, variables)
        said = conversation(request.query, request.history, limits.tokens - tokens(system))
        messages = [ModelMessage("system", system), *said]
        return await ask(self._model, messages, _wish, schema=_WISH_SCHEMA, limits=limits)


def _wish(text: str) -> str:
    value: object = json_answer(text, ("wish",))["wish"]
    if not isinstance(value, str) or not normalise(value):
        raise Unreadable(f"the wish is {value!r}, not a sentence")
    return value
