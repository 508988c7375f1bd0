"""Requests for agents under test."""

from __future__ import annotations

from lmos.conversation.exchange import AgentRequest
from lmos.conversation.messages import Message, User

__all__ = ["asking"]


def asking(*texts: str, conversation: str = "c") -> AgentRequest:
    """A request whose transcript is `texts`, the user's and the assistant's in turn, the last the user's."""
    first_is_user = len(texts) % 2 == 1
    messages = tuple(
        Message(role="user" if (position % 2 == 0) == first_is_user else "assistant", content=text)
        for position, text in enumerate(texts)
    )
    return AgentRequest(conversation, messages, User(id="ada"), turn_id="t1", tenant="acme", channel="web")
