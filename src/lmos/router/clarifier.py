"""Asks the customer which topic is meant, and understands the answer in the next turn.

`TemplateClarifier` works without a model. `ModelClarifier` lets a model word the question, in Eclipse LMOS's JSON
contract, and keeps to the template where the model's question would not be understood when it is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from lmos.conversation.events import Candidate
from lmos.conversation.messages import Message
from lmos.models.base import Model, ModelMessage
from lmos.router.answers import Unreadable, json_answer
from lmos.router.asking import ModelUnavailable, ask, conversation
from lmos.router.base import Classification, ClassificationRequest, Classifier, Roster
from lmos.router.clarify import Clarified, chosen_topic, clarification, topic
from lmos.router.language import language_of
from lmos.router.llm import LlmOptions, roster_variables
from lmos.router.roster_text import tokens
from lmos.router.text import words
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["AnsweredClassifier", "Clarifier", "ModelClarifier", "TemplateClarifier"]

_log = logger("router")
_STRATEGY: Final = "clarified"
_MOST_TOPICS: Final = 3
_LONGEST_QUESTION: Final = 500
_ROSTER_SHARE: Final = 0.5

_YES_WORDS: Final = """
yes yeah yep yup ok okay right correct exactly sure please ja jawohl genau richtig klar
"""
_YES: Final = frozenset(_YES_WORDS.split())

_SCHEMA: Final[Mapping[str, Any]] = {
    "title": "Disambiguation",
    "type": "object",
    "properties": {
        "topics": {"type": "array", "items": {"type": "string"}, "description": "The topics that are offered."},
        "reasoning": {"type": "string", "description": "Why these, in one short sentence."},
        "onlyConfirmation": {"type": "boolean", "description": "Whether the question asks for a yes or no."},
        "confidence": {"type": "integer", "description": "Certainty in per cent that an offered topic is meant."},
        "clarificationQuestion": {"type": "string", "description": "The question to the customer."},
    },
    "required": ["topics", "reasoning", "onlyConfirmation", "confidence", "clarificationQuestion"],
    "additionalProperties": False,
}


class Clarifier(Protocol):
    """Words the question that an `ambiguous` classification leads to."""

    async def ask(self, request: ClassificationRequest, classification: Classification) -> Clarified:
        """The question, in the customer's language. Raises `ValueError` for fewer than two candidates."""
        ...


class TemplateClarifier:
    """The fixed question of `clarify`."""

    async def ask(self, request: ClassificationRequest, classification: Classification) -> Clarified:
        return clarification(classification, request.roster, request.query)


@dataclass(frozen=True, slots=True)
class _Question:
    text: str
    only_confirmation: bool


class ModelClarifier:
    """A question by `model`; by the template when it fails, or words it so that no answer would be understood."""

    def __init__(self, model: Model, options: LlmOptions | None = None) -> None:
        self._model = model
        self._options = options or LlmOptions()

    async def ask(self, request: ClassificationRequest, classification: Classification) -> Clarified:
        template = clarification(classification, request.roster, request.query)
        offered = _roster_of(classification, request.roster)
        try:
            question = await self._question(request, offered)
        except ModelUnavailable as error:
            return self._template(template, str(error))
        named = _named_in(question.text, offered)
        # "Yes" is an answer to us only where no agent could have asked the question.
        confirms = question.only_confirmation and len(named) == 1 and request.current_agent is None
        if not confirms and not 2 <= len(named) <= _MOST_TOPICS:
            return self._template(template, f"the question {question.text!r} does not name the topics")
        return Clarified(question.text, tuple(topic(agent) for agent in named))

    async def _question(self, request: ClassificationRequest, offered: Roster) -> _Question:
        limits, language = self._options.limits, language_of(request.query)
        variables = {
            **roster_variables(offered, self._options.form, int(limits.tokens * _ROSTER_SHARE)),
            "topics": [topic(agent.name) for agent in offered.agents],
            "tenant": request.tenant,
            "channel": request.channel,
            "subset": request.subset,
            "current_agent": request.current_agent or "",
            "query": request.query,
            "language": language,
        }
        system = self._options.prompts.render("clarify", language, variables)
        said = conversation(request.query, request.history, limits.tokens - tokens(system))
        return await ask(
            self._model, [ModelMessage("system", system), *said], _read_question, schema=_SCHEMA, limits=limits
        )

    def _template(self, template: Clarified, why: str) -> Clarified:
        _log.warning(names.EVENT_CLARIFIED_BY_TEMPLATE, error=why)
        return template


class AnsweredClassifier:
    """Understands the answer to our own question, whoever worded it; all other messages go to `otherwise`."""

    def __init__(self, otherwise: Classifier) -> None:
        self._otherwise = otherwise

    @property
    def name(self) -> str:
        return self._otherwise.name

    async def prepare(self, roster: Roster) -> None:
        await self._otherwise.prepare(roster)

    async def classify(self, request: ClassificationRequest) -> Classification:
        """Decide. Raises what `otherwise` does."""
        agent = chosen_topic(request) or _answered(request)
        if agent is None:
            return await self._otherwise.classify(request)
        reason = f"The message answers our question: agent {agent!r}."
        return Classification("match", (agent,), (Candidate(agent=agent, score=1.0),), 1.0, _STRATEGY, reason)


def _answered(request: ClassificationRequest) -> str | None:
    """The agent that an answer to a model's question means."""
    asked = request.history[-1] if request.history else None
    if asked is None or asked.role != "assistant" or not asked.content.rstrip().endswith("?"):
        return None
    named = _named_in(asked.content, request.roster)
    if len(named) == 1 and request.current_agent is None:
        said = words(request.query)
        return named[0] if said and _YES.issuperset(said) else None
    if not 2 <= len(named) <= _MOST_TOPICS:
        return None
    # In our own words the question is one whose answers `clarify` understands.
    candidates = tuple(Candidate(agent=agent, score=0.5) for agent in named)
    ambiguous = Classification("ambiguous", (), candidates, 0.5, _STRATEGY, "")
    reworded = Message(role="assistant", content=clarification(ambiguous, request.roster, request.query).question)
    return chosen_topic(replace(request, history=(reworded,)))


def _named_in(text: str, roster: Roster) -> list[str]:
    """The agents whose topic stands in `text` as whole words, in the order in which they stand there."""
    said = f" {' '.join(words(text))} "
    places: dict[str, int] = {}
    for agent in roster.agents:
        place = said.find(f" {' '.join(words(topic(agent.name)))} ")
        if place >= 0:
            places.setdefault(agent.name, place)
    return sorted(places, key=lambda name: (places[name], name))


def _roster_of(classification: Classification, roster: Roster) -> Roster:
    """The agents of the best candidates, best first."""
    found = (roster.agent(candidate.agent) for candidate in classification.candidates[:_MOST_TOPICS])
    return Roster(tuple(agent for agent in found if agent is not None))


def _read_question(text: str) -> _Question:
    answer = json_answer(text, ("clarificationQuestion",))
    question: object = answer["clarificationQuestion"]
    if not isinstance(question, str) or not question.strip().endswith("?") or len(question) > _LONGEST_QUESTION:
        raise Unreadable(f"the clarificationQuestion is {question!r}, not one question")
    return _Question(question.strip(), answer.get("onlyConfirmation") is True)
