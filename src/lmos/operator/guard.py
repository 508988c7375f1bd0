"""What one write would break, judged before it is done: bad values, and channels that would lose an agent.

The admission webhook asks it. It judges by what the operator's caches hold, so that no judgement costs a request; it
writes nothing. Two writes at the same moment are judged one without the other: the channel's status still tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import anyio
import anyio.lowlevel

from lmos.operator import reasons
from lmos.operator.cache import Name
from lmos.operator.plan import ChannelPlan, Outcome, plan
from lmos.operator.resolver import Unresolved, serves
from lmos.operator.views import Views, touched_by
from lmos.resources.agent import Agent
from lmos.resources.base import Resource, ResourceKey
from lmos.resources.channel import Channel, ResolveStatus
from lmos.resources.rollout import ChannelRollout
from lmos.resources.validation import Problem, validate

__all__ = ["ALLOWED", "CONTROLLERS", "Change", "Guard", "Mode", "Undecided", "Verdict"]

Mode = Literal["warn", "deny"]

CONTROLLERS: Final = frozenset(
    {
        "system:kube-controller-manager",
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:serviceaccount:kube-system:namespace-controller",
    }
)
"""Users that carry out what was decided elsewhere: a namespace goes, or an owner took its object with it."""

_BUDGET: Final = 4.0
"""Seconds for one judgement. Kubernetes waits five at most if it is told what is recommended, see the guide."""
_BATCH: Final = 100
_SHOWN: Final = 10
# Kubernetes cuts longer ones once all warnings of an answer have 4,096 characters.
_MAX_WARNING: Final = 250


class Undecided(Exception):
    """The change cannot be judged: too little is known yet, or it touches too many channels."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write by `user`: `old` is `None` for a new object, `new` for one that goes."""

    old: Resource | None
    new: Resource | None
    user: str

    @property
    def subject(self) -> Resource:
        """The object under review: as it will be, or as it was if it goes. Raises `ValueError` without either."""
        subject = self.new or self.old
        if subject is None:
            raise ValueError("a change needs an old or a new object")
        return subject


@dataclass(frozen=True, slots=True)
class Verdict:
    """`message` says why a change is not allowed, `problems` which fields are wrong. Each warning is one line."""

    allowed: bool
    message: str = ""
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


ALLOWED: Final = Verdict(True)


class Guard:
    """Judges changes by `views`.

    `watches` tells whether these know a namespace; elsewhere only values are judged. `waits_for` names what they still
    lack; until that is nothing, nothing is judged. What users in `exempt` do is always allowed: `CONTROLLERS`, and the
    operator itself, which only follows the truth.
    """

    def __init__(
        self,
        views: Views,
        mode: Mode,
        *,
        watches: Callable[[str], bool] = lambda _: True,
        waits_for: Callable[[], Sequence[str]] = tuple,
        budget: float = _BUDGET,
    ) -> None:
        self._views = views
        self._mode = mode
        self._watches = watches
        self._waits_for = waits_for
        self._budget = budget
        self.exempt = set(CONTROLLERS)

    async def judge(self, change: Change) -> Verdict:
        """What to answer. Raises `Undecided`."""
        subject = change.subject
        if change.user in self.exempt or _leaving(change):
            return ALLOWED
        if missing := self._waits_for():
            raise Undecided(f"the operator is not ready, it waits for {', '.join(missing)}")
        errors, warnings = _values(change)
        told = [_line(problem) for problem in warnings]
        if errors and self._mode == "deny":
            return Verdict(False, _refusal(subject, errors), tuple(errors), _shortened(told))
        told = [*map(_line, errors), *told]
        if not self._watches(subject.metadata.namespace):
            return Verdict(True, warnings=_shortened(told))
        told += self._dangling(subject)
        lost, unmet = await self._unresolved(change)
        if lost and self._mode == "deny":
            return Verdict(False, _loss(subject, lost), warnings=_shortened(told))
        told += [_sentence(channel) for channel in (*lost, *unmet)]
        return Verdict(True, warnings=_shortened(told))

    async def _unresolved(self, change: Change) -> tuple[list[ChannelPlan], list[ChannelPlan]]:
        """Channels that would lose what they have, and new ones that would not have it, unless that is meant."""
        if _allows_unresolved(change.subject):
            return [], []
        found: list[ChannelPlan] = []
        touched = sorted(self._touched(change))
        try:
            with anyio.fail_after(self._budget):
                for start in range(0, len(touched), _BATCH):
                    found += self._plan(change, touched[start : start + _BATCH])
                    # The operator's own work goes on in between, and the budget is looked at.
                    await anyio.lowlevel.checkpoint()
        except TimeoutError as error:
            raise Undecided(f"{change.subject.key} touches too many channels to judge in {self._budget:g} s") from error
        unresolved = [channel for channel in found if channel.new_status is ResolveStatus.UNRESOLVED]
        lost = [channel for channel in unresolved if channel.outcome is Outcome.BECOMES_UNRESOLVED]
        unmet = [channel for channel in unresolved if channel.outcome is Outcome.ADDED]
        return [channel for channel in lost if not self._may_lose(change, channel.channel)], unmet

    def _touched(self, change: Change) -> set[Name]:
        """The channels that the change can leave unresolved: of an agent's change only those that may use it now."""
        subject = change.subject
        if isinstance(subject, Channel):
            return {(subject.metadata.namespace, subject.metadata.name)} if change.new is not None else set()
        old = _agent(change.old)
        if old is None:
            return set()
        return {name for name in touched_by(self._views, old, _agent(change.new)) if self._may_use(name, old)}

    def _may_use(self, name: Name, agent: Agent) -> bool:
        channel = self._views.channels.get(name)
        return channel is not None and serves(agent, channel)

    def _plan(self, change: Change, names: Iterable[Name]) -> Sequence[ChannelPlan]:
        """The plan for the channels of `names`: with them all agents that they can have, before and after."""
        current: dict[ResourceKey, Resource] = {}
        for name in names:
            known = self._views.channels.get(name)
            # A channel under review may differ from the one that is cached, also in what it requires.
            for channel in (known, change.old, change.new):
                if isinstance(channel, Channel) and (channel.metadata.namespace, channel.metadata.name) == name:
                    current |= {agent.key: agent for agent in self._views.agents_for(channel)}
            if known is not None:
                current[known.key] = known
        current.pop(change.subject.key, None)
        if change.old is not None:
            current[change.old.key] = change.old
        changes = () if change.new is None else (change.new,)
        deletions = (change.subject.key,) if change.new is None else ()
        return plan(tuple(current.values()), changes, deletions).channels

    def _may_lose(self, change: Change, key: ResourceKey) -> bool:
        channel = change.subject if change.subject.key == key else self._views.channels.get((key.namespace, key.name))
        return channel is not None and _allows_unresolved(channel)

    def _dangling(self, subject: Resource) -> Iterator[str]:
        """Channels that a rollout names and that do not exist."""
        canary = subject.spec.strategy and subject.spec.strategy.canary if isinstance(subject, ChannelRollout) else None
        for field, share in (
            ("canary", canary and canary.canary_channel),
            ("stable", canary and canary.stable_channel),
        ):
            if share and share.name and self._views.channels.get((subject.metadata.namespace, share.name)) is None:
                path = f"spec.strategy.canary.{field}Channel.name"
                yield f"{path}: there is no Channel {share.name!r} in namespace {subject.metadata.namespace!r}"


def _line(problem: Problem) -> str:
    """As a warning must be: without line ends."""
    text = f"{problem.field}: {problem.message}" if problem.field else problem.message
    return f"{text}; {problem.fix}" if problem.fix else text


def _leaving(change: Change) -> bool:
    """Whether the object is already deleted and only waits for its finalizers."""
    return change.new is not None and change.new.metadata.deletion_timestamp is not None


def _allows_unresolved(resource: Resource) -> bool:
    return resource.metadata.annotations.get(reasons.ALLOW_UNRESOLVED) == "true"


def _agent(resource: Resource | None) -> Agent | None:
    return resource if isinstance(resource, Agent) else None


def _values(change: Change) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings about the new object. What was wrong before only warns: labels of it may still change."""
    if change.new is None:
        return [], []
    before = validate(change.old) if change.old is not None else []
    known = {(problem.path, problem.message) for problem in before}
    problems = validate(change.new)
    errors = [p for p in problems if p.level == "error" and (p.path, p.message) not in known]
    return errors, [problem for problem in problems if problem not in errors]


def _refusal(subject: Resource, problems: Sequence[Problem]) -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"{count} in {_name(subject)}:"]
    lines += ["  " + str(problem).replace("\n", "\n  ") for problem in problems[:_SHOWN]]
    return "\n".join([*lines, *_more(problems)])


def _loss(subject: Resource, lost: Sequence[ChannelPlan]) -> str:
    count = "1 resolved channel" if len(lost) == 1 else f"{len(lost)} resolved channels"
    lines = [f"{count} would become unresolved:"]
    lines += [f"  {channel.channel.name}: {_causes(channel)}" for channel in lost[:_SHOWN]]
    lines += _more(lost)
    first = "apply its agents" if isinstance(subject, Channel) else "change what these channels require"
    lines.append(f'  fix: {first} first, or annotate {_name(subject)} with {reasons.ALLOW_UNRESOLVED}: "true"')
    return "\n".join(lines)


def _more(items: Sequence[object]) -> list[str]:
    return [f"  and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []


def _sentence(channel: ChannelPlan) -> str:
    verb = "is" if channel.outcome is Outcome.ADDED else "becomes"
    return f"channel {channel.channel.name} {verb} unresolved: {_causes(channel)}"


def _causes(channel: ChannelPlan) -> str:
    """What is missing and why; a channel that requires nothing lacks an agent that serves it."""
    if not channel.unresolved:
        return f"no agent serves it ({reasons.NO_AGENT_SERVES_CHANNEL})"
    return "; ".join(_cause(missing) for missing in channel.unresolved)


def _cause(missing: Unresolved) -> str:
    nearest = [f"{miss.agent} {miss.message}" for miss in missing.near_misses[:1]]
    return f"{missing.message} ({'; '.join([missing.reason, *nearest])})"


def _name(resource: Resource) -> str:
    return f"{resource.KIND} {resource.metadata.name}"


def _shortened(warnings: Sequence[str]) -> tuple[str, ...]:
    """At most as many and as long as Kubernetes passes on."""
    shown = [line if len(line) <= _MAX_WARNING else line[: _MAX_WARNING - 1] + "…" for line in warnings[:_SHOWN]]
    rest = len(warnings) - len(shown)
    return (*shown, *([f"and {rest} more"] if rest else []))
