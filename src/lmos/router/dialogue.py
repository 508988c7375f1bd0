"""Does a message go on with the current agent, or does it stand alone? The current agent is a prior, nothing more.

Joining history to the query makes routers stay where they are (a new topic then looks like the past); ignoring it makes
"and the one before?" unanswerable. So the message alone is judged, and a logistic gate with a few cues says how likely
it is to go on with the topic. Its weights were fitted once, on dialogues of other services (`benchmarks/router`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from lmos.conversation.messages import Message
from lmos.router.cascade import Judged
from lmos.router.language import FUNCTION_WORDS
from lmos.router.text import words

__all__ = ["Cues", "blend", "clearly_elsewhere", "has_content", "leaving_probability", "observe", "stands_alone"]

# Words that point back: a message that leans on one of them is about what was said before.
_BACK = """
it its they them that those these this there one ones before previous earlier else same again both either
es sie ihn ihm das dies dieser diese dieses diesen davor vorher vorige vorherige davon dazu damit da dort noch nochmal
beide
"""
_OPENERS = "and or but then so und oder aber dann"
_QUESTIONS = """
what whats who whos when where wheres which why how is are am was were do does did can could would will should
was wer wann wo welche welcher welches warum wieso wie ist sind bin kann könnte wird soll gibt
"""
_REPLIES = """
yes yeah yep yup no nope nah ok okay sure thanks thank great sounds perfect correct right alright fine good cool awesome
exactly absolutely definitely bye goodbye please
ja nein nee doch gut danke passt genau richtig klar perfekt super prima gerne tschüss bitte
"""
_IMPERATIVES = (
    "tell recommend explain write sing play translate suggest erzähl erzähle empfiehl erkläre übersetze schreib"
)
_NEW = """
also another new next instead now want need like looking find search help book get would could can show
auch noch neu neue neuen nächste stattdessen jetzt will möchte brauche suche hilf hätte kannst zeig
"""

_POINTS_BACK = frozenset(_BACK.split())
_OPENS_FOLLOW_UP = frozenset(_OPENERS.split())
_ASKS = frozenset(_QUESTIONS.split())
_REPLIES_WITH = frozenset(_REPLIES.split())
_DEMANDS = frozenset(_IMPERATIVES.split())
_NEW_REQUEST = frozenset(_NEW.split())

SHORT = 3
FLOOR = 1e-3
CLEAR_MARGIN = 0.9

# The gate's weights, in the order of `Cues`.
WEIGHTS = (
    0.4871,  # log_ratio
    2.2216,  # other
    1.7768,  # current
    0.3859,  # other_similarity
    -0.2643,  # current_similarity
    -0.0872,  # scope
    1.9139,  # length
    0.0119,  # short
    -0.3431,  # answers
    -0.1241,  # reply
    -0.6924,  # points_back
    -0.5037,  # opens_follow_up
    0.6010,  # asks
    0.0891,  # new_request
    -1.4138,  # empty
)
BIAS = -8.5863

Probabilities = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cues:
    """What the gate sees. Scores are those of the message alone; "other" is the best agent that is not the current."""

    log_ratio: float  # log of the probability of the other agent over that of the current one
    other: float  # probability of the other agent
    current: float  # probability of the current agent
    other_similarity: float  # cosine of the other agent's nearest text, in deviations from the examples' mean
    current_similarity: float
    scope: float  # the in-scope score
    length: float  # log of the number of words
    short: float  # from here to `empty`: 0 or 1
    answers: float  # the last message was a question of the assistant's
    reply: float  # opens as replies do
    points_back: float
    opens_follow_up: float
    asks: float
    new_request: float
    empty: float  # has no word of content


def observe(query: str, history: Sequence[Message], judged: Judged, current: str) -> Cues:
    """The cues of a message that reaches agent `current` after `history`."""
    training, judgement = judged.lesson.training, judged.judgement
    own = training.agents.index(current)
    other = int(np.argmax(np.where(np.arange(len(training.agents)) == own, -1, judgement.agents)))
    nearest = np.full(len(training.agents), -1, np.float32)
    np.maximum.at(nearest, training.agent_of, judgement.nearest)
    mean, deviation = judged.calibration.cosine
    similarity = (nearest - mean) / deviation
    ratio = (float(judgement.agents[other]) + FLOOR) / (float(judgement.agents[own]) + FLOOR)
    return Cues(
        log_ratio=math.log(ratio),
        other=float(judgement.agents[other]),
        current=float(judgement.agents[own]),
        other_similarity=float(similarity[other]),
        current_similarity=float(similarity[own]),
        scope=min(max(judgement.scope, -12.0), 6.0),
        **_wording(query, history),
    )


def _wording(query: str, history: Sequence[Message]) -> dict[str, float]:
    """The cues that lie in the words alone."""
    found = words(query)
    first = found[0] if found else ""
    last = history[-1] if history else None
    return {
        "length": math.log1p(min(len(found), 40)),
        "short": float(len(found) <= SHORT),
        "answers": float(last is not None and last.role == "assistant" and last.content.rstrip().endswith("?")),
        "reply": float(first in _REPLIES_WITH),
        "points_back": float(not _POINTS_BACK.isdisjoint(found)),
        "opens_follow_up": float(first in _OPENS_FOLLOW_UP),
        "asks": float(first in _ASKS or query.rstrip().endswith("?")),
        "new_request": float(not _NEW_REQUEST.isdisjoint(found)),
        "empty": float(not has_content(query)),
    }


def leaving_probability(cues: Cues) -> float:
    """How likely the message does not go on with the current agent."""
    total = BIAS + sum(weight * value for weight, value in zip(WEIGHTS, astuple(cues), strict=True))
    return 1 / (1 + math.exp(-min(max(total, -30.0), 30.0)))


def blend(alone: Probabilities, current: int, leaving: float) -> Probabilities:
    """The agents' probabilities in the conversation: `alone[A]` if the message leaves, else all for `current`."""
    blended = alone * np.float32(leaving)
    blended[current] += np.float32(1 - leaving)
    return blended


def clearly_elsewhere(cues: Cues) -> bool:
    """Whether the message leaves, whatever the gate says: another agent's own words, and no sign of a follow-up.

    The gate learnt from services whose follow-ups often name what other services sell; few rosters overlap so much.
    """
    asks_anew = cues.asks or not cues.answers
    leans = cues.points_back or cues.opens_follow_up or cues.empty
    return bool(asks_anew and not leans and cues.other - cues.current >= CLEAR_MARGIN and cues.scope >= 0)


def stands_alone(query: str, cues: Cues, in_scope: bool) -> bool:
    """Whether the words can be understood without what was said before them.

    The gate takes what no example resembles for a follow-up, as most such messages are. A question or a demand that
    points at nothing before it is none; nor is what answers no question and is in the agents' own words (`in_scope`).
    """
    if cues.points_back or cues.opens_follow_up or cues.empty:
        return False
    demands = not _DEMANDS.isdisjoint(words(query)[:2])
    return bool(cues.asks) or demands or (in_scope and not cues.answers)


def has_content(query: str) -> bool:
    """Whether any word of `query` says what it is about: "ok, and then?" has none."""
    return not FUNCTION_WORDS.issuperset(words(query))
