"""What the platform itself says when no agent is asked: a question between topics, or a polite decline.

The runtime speaks these texts. They are templates: they work without a model, and promise only what the roster holds.
"""

from __future__ import annotations

from dataclasses import dataclass

from lmos.router.base import Classification, Roster
from lmos.router.language import Language, language_of
from lmos.router.text import humanise

__all__ = ["Clarified", "clarification", "decline"]

MOST_TOPICS = 3
MOST_OFFERS = 6

# A third topic is offered only when it is about as likely as the second.
THIRD_TOPIC_SHARE = 0.5

_ASK: dict[Language, str] = {
    "en": "I want to be sure that I get this right: is your question about {topics}?",
    "de": "Damit ich Sie richtig verstehe: Geht es um {topics}?",
}
_DECLINE: dict[Language, str] = {
    "en": "I am sorry, I cannot help with that here. What I can help with: {topics}.",
    "de": "Dabei kann ich hier leider nicht helfen. Weiterhelfen kann ich bei: {topics}.",
}
_DECLINE_NO_TOPICS: dict[Language, str] = {
    "en": "I am sorry, nobody can help with that here at the moment.",
    "de": "Dabei kann hier im Moment leider niemand helfen.",
}
_OR: dict[Language, str] = {"en": " or ", "de": " oder "}
_AND: dict[Language, str] = {"en": " and ", "de": " und "}


@dataclass(frozen=True, slots=True)
class Clarified:
    """A question to the customer, and the topics it names, best first."""

    question: str
    topics: tuple[str, ...]


def clarification(classification: Classification, roster: Roster, query: str) -> Clarified:
    """Ask which of the two or three best candidates is meant, in the language of `query`.

    Raises `ValueError` when there are fewer than two candidates: then there is nothing to choose between.
    """
    best = classification.candidates[:MOST_TOPICS]
    if len(best) < 2:
        raise ValueError(f"A question needs at least two candidates, this {classification.outcome} has {len(best)}")
    if len(best) == MOST_TOPICS and best[2].score < THIRD_TOPIC_SHARE * best[1].score:
        best = best[:2]
    topics = tuple(topic(candidate.agent) for candidate in best)
    if len(set(topics)) < len(topics):
        topics = tuple(f"{topic(c.agent)} ({humanise(c.capability or c.agent)})" for c in best)
    language = language_of(query)
    return Clarified(_ASK[language].format(topics=_listed(topics, _OR[language])), topics)


def decline(roster: Roster, query: str) -> str:
    """Say politely that nobody here can help, and what the channel can do, in the language of `query`."""
    topics = tuple(dict.fromkeys(topic(name) for name in sorted(agent.name for agent in roster.agents)))[:MOST_OFFERS]
    language = language_of(query)
    if not topics:
        return _DECLINE_NO_TOPICS[language]
    return _DECLINE[language].format(topics=_listed(topics, _AND[language]))


def topic(agent: str) -> str:
    """What an agent's name says that it is about: `billing-agent` is about `billing`."""
    name = humanise(agent)
    return name.removesuffix(" agent") or name


def _listed(topics: tuple[str, ...], last: str) -> str:
    return last.join(filter(None, (", ".join(topics[:-1]), topics[-1])))
