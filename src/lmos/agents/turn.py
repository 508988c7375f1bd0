"""`Turn`: what a prompt function or a tool may know of the customer's turn, and its way to say something meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import overload

from lmos.conversation.exchange import AgentRequest
from lmos.conversation.messages import Message

__all__ = ["Turn"]


class Turn:
    """One turn as its agent sees it.

    A tool or prompt function gets it by annotating a parameter with `Turn`. In a test, build one from an
    `AgentRequest`; `emit` then goes to the function given as `emit`, or nowhere.
    """

    __slots__ = ("_emit", "_params", "request")

    def __init__(self, request: AgentRequest, *, emit: Callable[[str], None] | None = None) -> None:
        self.request = request
        self._emit = emit
        self._params = {entry.key: entry.value for entry in request.params}

    @property
    def query(self) -> str:
        """Text of the newest user message."""
        return self.request.query

    @property
    def messages(self) -> tuple[Message, ...]:
        """The whole transcript, oldest first; the last message is the user's."""
        return self.request.messages

    @property
    def user_id(self) -> str:
        return self.request.user.id

    @property
    def user_token(self) -> str | None:
        """The caller's token, for services that the tool calls on the user's behalf."""
        return self.request.user.token

    @property
    def profile(self) -> dict[str, str]:
        """What the channel says about the user (`userContext.contextParams`)."""
        return {entry.key: entry.value for entry in self.request.user.profile}

    @property
    def tenant(self) -> str | None:
        return self.request.tenant

    @property
    def channel(self) -> str | None:
        return self.request.channel

    @property
    def subset(self) -> str | None:
        return self.request.subset

    @property
    def conversation_id(self) -> str:
        return self.request.conversation_id

    @property
    def turn_id(self) -> str | None:
        return self.request.turn_id

    @overload
    def param(self, key: str) -> str | None: ...
    @overload
    def param(self, key: str, default: str) -> str: ...
    def param(self, key: str, default: str | None = None) -> str | None:
        """The value of `key` in the system context (ARC's `systemContext`), or `default`."""
        return self._params.get(key, default)

    def emit(self, text: str) -> None:
        """Say `text` to the user now, as an intermediate message; it is not part of the answer.

        May be called from a synchronous tool's thread too.
        """
        if self._emit is not None:
            self._emit(text)
