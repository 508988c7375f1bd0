"""Does a message go on with the current agent, or leave it? The current agent is a prior; history is never searched.

Joining history to the query makes routers stay where they are (a topic switch looks like the past); ignoring it makes
"and the one before?" unanswerable. So the message alone is scored, and these cues say whether it stands alone.
"""

from __future__ import annotations

from lmos.conversation.messages import Message
from lmos.router.language import FUNCTION_WORDS
from lmos.router.text import words

__all__ = ["has_content", "stands_alone"]

# Words that point back: a message that leans on one of them is about what was said before.
_BACK = """
it its they them that those these this there one ones before previous earlier another else same again
es sie ihn ihm das dies dieser diese dieses diesen davor vorher vorige vorherige davon dazu damit da dort andere anderen
noch nochmal wieder
"""
_OPENERS = "and or but also then so und oder aber auch dann"
_QUESTIONS = """
what whats who whos when where wheres which why how is are am was were do does did can could would will should
was wer wann wo welche welcher welches warum wieso wie ist sind bin kann könnte wird soll gibt
"""

_POINTS_BACK = frozenset(_BACK.split())
_OPENS_FOLLOW_UP = frozenset(_OPENERS.split())
_ASKS = frozenset(_QUESTIONS.split())
SHORT = 3


def has_content(query: str) -> bool:
    """Whether any word of `query` says what it is about: "ok, and then?" has none."""
    return not FUNCTION_WORDS.issuperset(words(query))


def stands_alone(query: str, history: tuple[Message, ...], in_scope: bool) -> bool:
    """Whether `query` can be understood without what was said before it; `in_scope` says whether agents know its words.

    Not so: a message without a word of content, one that opens or points back like a follow-up, a few words that no
    agent knows, and what answers the question that was just asked.
    """
    found = words(query)
    if not has_content(query) or found[0] in _OPENS_FOLLOW_UP or not _POINTS_BACK.isdisjoint(found):
        return False
    if found[0] in _ASKS or query.rstrip().endswith("?"):
        return True
    if len(found) <= SHORT and not in_scope:
        return False
    last = history[-1] if history else None
    return last is None or last.role != "assistant" or not last.content.rstrip().endswith("?")
