"""`RoutingRules`: what a channel decides without a model. Part of Channel and ChannelRouting; the router applies them.

An addition to Eclipse LMOS. Patterns are RE2's: they run in time linear in the text, so that neither a careless rule
nor a hostile message can hold up a turn.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from lmos.resources.base import Model

if TYPE_CHECKING:
    from re2 import Pattern

__all__ = ["BadPattern", "RoutingRule", "RoutingRules", "compile_pattern"]

AgentName = Annotated[str, Field(min_length=1, max_length=253)]
Keyword = Annotated[str, Field(min_length=1, max_length=200)]
PatternText = Annotated[str, Field(min_length=1, max_length=500)]

_MEMORY: Final = 1 << 20
"""Bytes that one compiled pattern may take."""

_FIX: Final = "write it in RE2's syntax: as in Python's `re`, without back-references and look-around"


class RoutingRule(Model):
    """Sends a message to an agent, or declines it, by its words. Keywords and patterns are alternatives."""

    name: str = Field(default="", max_length=63, description="Name of the rule, shown as the reason of a decision.")
    agent: AgentName | None = Field(
        default=None, description="The agent that answers; without one the message is declined."
    )
    keywords: tuple[Keyword, ...] = Field(
        default=(),
        max_length=200,
        description="Words or phrases: the rule applies when the message has one of them, in any case, as whole words.",
    )
    patterns: tuple[PatternText, ...] = Field(
        default=(),
        max_length=20,
        description="RE2 expressions: the rule applies when one of them, in any case, is found in the message.",
    )


class RoutingRules(Model):
    """What is decided before any model is asked: which agents may answer, and rules by keyword or pattern."""

    allowed_agents: tuple[AgentName, ...] = Field(
        default=(), max_length=1000, description="The only agents that may answer in this channel; empty allows all."
    )
    denied_agents: tuple[AgentName, ...] = Field(
        default=(), max_length=1000, description="Agents that never answer in this channel, whoever asks for them."
    )
    rules: tuple[RoutingRule, ...] = Field(
        default=(), max_length=200, description="Rules by keyword or pattern; the first that applies decides."
    )


class BadPattern(ValueError):
    """A pattern that RE2 does not accept. `text` is the pattern, `reason` goes after it, `fix` says what to do."""

    def __init__(self, text: str, reason: str, fix: str = _FIX) -> None:
        super().__init__(f"pattern {text!r} {reason}; {fix}")
        self.text = text
        self.reason = reason
        self.fix = fix


@lru_cache(maxsize=4096)
def compile_pattern(text: str) -> Pattern:
    """`text` compiled, ignoring case. Raises `BadPattern`."""
    import re2

    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        compiled = re2.compile(text, options)
    except re2.error as error:
        raise BadPattern(text, f"is no RE2 expression ({_reason(error)})") from error
    if compiled.search("") is not None:
        raise BadPattern(text, "is found in every message", "make it demand at least one character")
    return compiled


def _reason(error: Exception) -> str:
    """RE2 gives its reason as bytes."""
    reason: object = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
