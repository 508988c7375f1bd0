"""What is known of an Agent, as its status. Pure: time comes as an argument.

The Agent controller writes it. `Ready` sums up, `Discovered` says how what the agent can do came to be known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lmos.clock import rfc3339
from lmos.operator import reasons
from lmos.operator.discovery.base import Finding
from lmos.operator.discovery.documents import CHANNELS
from lmos.operator.ownership import is_managed
from lmos.resources.agent import Agent, AgentSource, AgentStatus, Offer
from lmos.resources.base import Condition
from lmos.resources.validation import Problem, validate

__all__ = ["Knowledge", "agent_status", "ready_of"]

_MAX_MESSAGE: Final = 4096


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All that the operator knows of an Agent beside its spec.

    `finding` is `None` where there is nothing to discover. `unavailable` says why nobody can ask the agent, although
    what it can do is known.
    """

    source: AgentSource | None = None
    discovered: Offer | None = None
    finding: Finding | None = None
    unavailable: str | None = None


def agent_status(agent: Agent, knowledge: Knowledge, now: datetime) -> AgentStatus:
    """The status of `agent` at `now`; a condition keeps its `lastTransitionTime` while its status is the same."""
    known = AgentStatus(source=knowledge.source, discovered=knowledge.discovered)
    conditions = [_condition(agent, reasons.READY, *_ready(agent.model_copy(update={"status": known}), knowledge), now)]
    if (finding := knowledge.finding) is not None:
        told = (finding.status, finding.reason, finding.message)
        conditions.append(_condition(agent, reasons.DISCOVERED, *told, now))
    return known.model_copy(update={"observed_generation": agent.metadata.generation, "conditions": tuple(conditions)})


def ready_of(status: AgentStatus | None) -> Condition | None:
    """The condition that sums up; `None` before the operator has looked at the Agent."""
    return next((c for c in status.conditions if c.type == reasons.READY), None) if status is not None else None


def _ready(agent: Agent, knowledge: Knowledge) -> tuple[str, str, str]:
    """Status, reason and message of `Ready`: the first thing that is wrong, and all of its kind."""
    errors = [problem for problem in validate(agent) if problem.level == "error"]
    if errors:
        return "False", _reason_of(errors[0]), _bounded("; ".join(_in_words(problem) for problem in errors))
    finding = knowledge.finding
    # A workload that wants the name of an Agent is in trouble itself; the Agent is not.
    if finding is not None and finding.reason == reasons.NAME_TAKEN:
        finding = None
    if finding is not None and finding.status != "True":
        return finding.status, finding.reason, finding.message
    if knowledge.unavailable is not None:
        return "False", reasons.WORKLOAD_UNAVAILABLE, knowledge.unavailable
    if finding is not None:
        return "True", reasons.DISCOVERED, f"{finding.message}: {_contents(agent)}"
    return "True", reasons.DECLARED, _contents(agent)


def _contents(agent: Agent) -> str:
    offer = agent.offer
    counts = f"capabilities: {len(offer.provided_capabilities)}, channels: {len(offer.supported_channels)}"
    if offer.supported_channels:
        return counts
    where = f"the annotation {CHANNELS} of its workload" if is_managed(agent) else "spec.supportedChannels"
    return f"{counts}; it serves no channel until some are named in {where}"


def _reason_of(problem: Problem) -> str:
    match problem.path:
        case ("spec", "providedCapabilities", _, "version"):
            return reasons.BAD_VERSION
        case ("spec", "endpoint", *_):
            return reasons.BAD_ENDPOINT
        case _:
            return reasons.INVALID_SPEC


def _in_words(problem: Problem) -> str:
    return f"{problem.field}: {problem.message}; {problem.fix}"


def _bounded(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 1] + "…"


def _condition(agent: Agent, name: str, status: str, reason: str, message: str, now: datetime) -> Condition:
    known: Sequence[Condition] = agent.status.conditions if agent.status is not None else ()
    since = next((c.last_transition_time for c in known if (c.type, c.status) == (name, status)), rfc3339(now))
    return Condition(
        type=name,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=since,
        observed_generation=agent.metadata.generation,
    )
