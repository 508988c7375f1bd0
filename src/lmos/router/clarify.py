"""What the platform itself says when no agent is asked: a question between topics, or a polite decline.

The runtime speaks these texts. They are templates: they work without a model, and promise only what the roster holds.
"""

from __future__ import annotations

from dataclasses import dataclass

from lmos.router.base import Classification, ClassificationRequest, Roster
from lmos.router.language import Language, language_of
from lmos.router.text import humanise, words

__all__ = ["Clarified", "chosen_topic", "clarification", "decline"]

MOST_TOPICS = 3
MOST_OFFERS = 6
LONGEST_ANSWER = 6

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

_ORDINALS = (
    frozenset({"first", "1st", "former", "erste", "ersten", "ersteres"}),
    frozenset({"second", "2nd", "latter", "zweite", "zweiten", "letzteres"}),
    frozenset({"third", "3rd", "dritte", "dritten"}),
)


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


def chosen_topic(request: ClassificationRequest) -> str | None:
    """The agent that the customer picks, when the last thing said was our question and the message answers it.

    An answer names one of the topics, or its place ("the second one", "das erste"). Anything else is a new message.
    """
    asked = request.history[-1] if request.history else None
    if asked is None or asked.role != "assistant":
        return None
    offered = _offered(asked.content, request.roster)
    said = words(request.query)
    if len(offered) < 2 or not said or len(said) > LONGEST_ANSWER:
        return None
    named = [agent for agent in offered if set(words(topic(agent))) <= set(said)]
    if len(named) == 1:
        return named[0]
    places = [place for place, ordinals in enumerate(_ORDINALS) if not ordinals.isdisjoint(said)]
    return offered[places[0]] if not named and len(places) == 1 and places[0] < len(offered) else None


def _offered(text: str, roster: Roster) -> list[str]:
    """The agents that a question of ours named, in its order; empty when `text` is not one."""
    for language, template in _ASK.items():
        before, after = template.split("{topics}")
        if text.startswith(before) and text.endswith(after):
            listed = text[len(before) : len(text) - len(after)].replace(_OR[language], ", ").split(", ")
            agents = {topic(agent.name): agent.name for agent in sorted(roster.agents, key=lambda a: a.name)}
            return [agents[name] for name in listed if name in agents]
    return []


def topic(agent: str) -> str:
    """What an agent's name says that it is about: `billing-agent` is about `billing`."""
    name = humanise(agent)
    return name.removesuffix(" agent") or name


def _listed(topics: tuple[str, ...], last: str) -> str:
    return last.join(filter(None, (", ".join(topics[:-1]), topics[-1])))
