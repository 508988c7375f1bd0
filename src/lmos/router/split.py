"""Two wishes in one message: "pay my bill and my internet is down". Cuts where a second wish may begin. Pure.

A cut is only an offer: the classifier takes it when each part alone is surely for another agent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lmos.conversation.events import Candidate
from lmos.router.base import Classification
from lmos.router.decision import classification
from lmos.router.dialogue import has_content
from lmos.router.text import words

__all__ = ["joined", "parts_of"]

LEAST_WORDS = 3
MOST_PARTS = 3

_CUT = re.compile(
    r"\s*[.;!?\n]+\s+|\s*,?\s+(?:and|also|plus|und|außerdem|sowie)(?:\s+(?:also|then|auch|dann))?\s+|\s*,\s+",
    re.IGNORECASE,
)


def parts_of(text: str) -> tuple[str, ...]:
    """The two or three parts of `text` that could each be a wish of their own; empty when it is one."""
    parts = tuple(part.strip() for part in _CUT.split(text) if part.strip())
    if not 2 <= len(parts) <= MOST_PARTS:
        return ()
    return parts if all(len(words(part)) >= LEAST_WORDS and has_content(part) for part in parts) else ()


def joined(parts: Sequence[str], found: Sequence[Classification], strategy: str) -> Classification | None:
    """One decision for several agents, when each part matches and not all match the same; else `None`."""
    agents = tuple(dict.fromkeys(agent for one in found for agent in one.agents))
    if len(agents) < 2 or any(one.outcome != "match" for one in found):
        return None
    best: dict[str, Candidate] = {}
    for one in found:
        for candidate in one.candidates:
            known = best.get(candidate.agent)
            if known is None or candidate.score > known.score:
                best[candidate.agent] = candidate
    candidates = tuple(sorted(best.values(), key=lambda c: (-c.score, c.agent)))
    wishes = "; ".join(f"{part!r} for {one.agents[0]!r}" for part, one in zip(parts, found, strict=True))
    confidence = min(one.confidence for one in found)
    reason = f"The message holds more than one wish: {wishes}."
    return classification("match", agents, candidates, strategy, reason, confidence)
