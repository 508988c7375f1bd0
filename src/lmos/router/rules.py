"""`RulesClassifier`: what the channel decides itself, before any model is asked. It wraps what decides all else.

Allowed and denied agents narrow the roster for everyone, an explicitly named agent included. Then the caller's explicit
agent counts, then the first rule whose keyword or pattern is in the message. Rules are data of the Channel.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from lmos.conversation.events import Candidate
from lmos.resources.rules import BadPattern, RoutingRule, RoutingRules, compile_pattern
from lmos.router.base import Classification, ClassificationRequest, Classifier, ClassifierError, Roster
from lmos.router.text import normalise, readable
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["RulesClassifier"]

_log = logger("router")
_MOST_CHANNELS: Final = 256
_STRATEGY: Final = "rules"

Finder = Callable[[str, str], str | None]
"""Takes a text and its normal form and returns what it found there, as people should read it."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    """Rules in the context of a roster: who is left of it, and the rules that can apply, in order."""

    roster: Roster
    rules: tuple[tuple[RoutingRule, tuple[Finder, ...]], ...]


class RulesClassifier:
    """Applies `ClassificationRequest.rules`; what they leave open goes to `otherwise` with the agents that may answer.

    A rule for an agent that does not serve the channel now never applies; that is logged once.
    """

    def __init__(self, otherwise: Classifier) -> None:
        self._otherwise = otherwise
        self._compiled: OrderedDict[tuple[str, RoutingRules], _Compiled] = OrderedDict()

    @property
    def name(self) -> str:
        return self._otherwise.name

    async def prepare(self, roster: Roster) -> None:
        await self._otherwise.prepare(roster)

    async def classify(self, request: ClassificationRequest) -> Classification:
        """Decide. Raises what `otherwise` does, and `ClassifierError` for a pattern that no validation has seen."""
        if request.rules is None:
            return await self._otherwise.classify(request)
        compiled = self._of(request.roster, request.rules)
        if request.explicit_agent is None:
            decided = _apply(compiled, request.query)
            if decided is not None:
                return decided
        return await self._otherwise.classify(replace(request, roster=compiled.roster))

    def _of(self, roster: Roster, rules: RoutingRules) -> _Compiled:
        """The compiled rules, kept for the most recently used channels."""
        key = (roster.digest, rules)
        known = self._compiled.get(key)
        if known is None:
            known = self._compiled[key] = _compile(roster, rules)
            while len(self._compiled) > _MOST_CHANNELS:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return known


def _compile(roster: Roster, rules: RoutingRules) -> _Compiled:
    allowed = frozenset(rules.allowed_agents)
    denied = frozenset(rules.denied_agents)
    left = tuple(a for a in roster.agents if (not allowed or a.name in allowed) and a.name not in denied)
    # The same object where nothing was taken away: what is learnt from a roster is found by its digest, computed once.
    narrowed = roster if len(left) == len(roster.agents) else Roster(left)
    usable: list[tuple[RoutingRule, tuple[Finder, ...]]] = []
    for rule in rules.rules:
        if rule.agent is not None and narrowed.agent(rule.agent) is None:
            _log.warning(
                names.EVENT_RULE_UNUSABLE, rule=rule.name, agent=rule.agent, fix="name an agent of this channel"
            )
        else:
            usable.append((rule, _finders(rule)))
    return _Compiled(narrowed, tuple(usable))


def _finders(rule: RoutingRule) -> tuple[Finder, ...]:
    return (*(_keyword(keyword) for keyword in rule.keywords), *(_pattern(text) for text in rule.patterns))


def _keyword(keyword: str) -> Finder:
    wanted = f" {normalise(keyword)} "
    return lambda text, normal: repr(keyword) if wanted.strip() and wanted in f" {normal} " else None


def _pattern(text: str) -> Finder:
    try:
        compiled = compile_pattern(text)
    except BadPattern as error:
        raise ClassifierError(f"A routing rule of this channel cannot be used: {error}") from error
    return lambda said, normal: f"pattern {text!r}" if compiled.search(said) is not None else None


def _apply(compiled: _Compiled, query: str) -> Classification | None:
    """What the first rule that applies decides; `None` when none does."""
    text, normal = readable(query), normalise(query)
    for rule, finders in compiled.rules:
        found = next(filter(None, (finder(text, normal) for finder in finders)), None)
        if found is not None:
            return _decision(rule, found)
    return None


def _decision(rule: RoutingRule, found: str) -> Classification:
    named = f"Rule {rule.name!r}" if rule.name else "A rule"
    if rule.agent is None:
        return Classification("out_of_scope", (), (), 1.0, _STRATEGY, f"{named} declines messages with {found}.")
    candidate = Candidate(agent=rule.agent, score=1.0)
    reason = f"{named} sends messages with {found} to agent {rule.agent!r}."
    return Classification("match", (rule.agent,), (candidate,), 1.0, _STRATEGY, reason)
