"""Messages of a conversation, with the wire names of the LMOS runtime's REST API and of ARC."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

__all__ = ["AnonymizationEntity", "BinaryData", "KeyValue", "Message", "Role", "User", "WireModel", "last_user_text"]

Role = Literal["user", "assistant"]


class WireModel(BaseModel):
    """Base of wire types: frozen, camelCase names, unknown members ignored (as the JVM parts do)."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class KeyValue(WireModel):
    """An entry of a context or a profile."""

    key: str
    value: str


class AnonymizationEntity(WireModel):
    """A replaced piece of personal data: `replacement` stands in the text for `value`."""

    type: str
    value: str
    replacement: str


class BinaryData(WireModel):
    """An attachment; `source` names a stream when the bytes come later."""

    mime_type: str
    data_as_base64: str | None = None
    source: str | None = None


class Message(WireModel):
    """One utterance. `role` is `user` or `assistant`, `format` usually `text`."""

    role: Role
    content: str
    format: str = "text"
    turn_id: str | None = None
    binary_data: tuple[BinaryData, ...] | None = None


class User(WireModel):
    """Who speaks; `profile` holds the caller's `userContext.contextParams`."""

    id: str
    token: str | None = None
    profile: tuple[KeyValue, ...] = ()


def last_user_text(messages: tuple[Message, ...]) -> str:
    """Text of the newest user message, `""` when there is none."""
    return next((m.content for m in reversed(messages) if m.role == "user"), "")
