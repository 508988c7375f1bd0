"""`TurnRequest`: everything that a customer's turn says, whichever surface it came through."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from lmos.conversation.messages import AnonymizationEntity, KeyValue, Message, User, WireModel, last_user_text

__all__ = ["TurnKey", "TurnRequest"]


class TurnKey(NamedTuple):
    """What names a turn, and makes it idempotent."""

    tenant: str
    conversation: str
    turn: str


class TurnRequest(WireModel):
    """One turn of a conversation. `messages` ends with the user's new message; earlier ones are history."""

    tenant: str
    channel: str
    subset: str | None = None
    conversation_id: str
    turn_id: str
    user: User
    messages: tuple[Message, ...]
    params: tuple[KeyValue, ...] = ()
    explicit_agent: str | None = None
    anonymization_entities: tuple[AnonymizationEntity, ...] = ()

    @property
    def key(self) -> TurnKey:
        return TurnKey(self.tenant, self.conversation_id, self.turn_id)

    @property
    def query(self) -> str:
        """Text of the newest user message."""
        return last_user_text(self.messages)

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the request: two posts of one turn id are the same turn only when it is equal.

        The user's token does not count: a retry may carry a fresh one.
        """
        said = self.model_dump_json(exclude={"user": {"token"}})
        return hashlib.sha256(said.encode()).hexdigest()
