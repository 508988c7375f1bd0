"""A divergence, made as small as it goes and told so that it can be run again."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.operator.faults.schedule import Outcome, run

__all__ = ["shrunk", "told"]

_SHOWN: Final = 6
_ATTEMPTS: Final = 150


def shrunk(outcome: Outcome) -> Outcome:
    """The outcome of a schedule with fewer actions and faults that is wrong too."""
    best, left, size = outcome, _ATTEMPTS, max(1, len(outcome.actions) // 2)
    while size and left > 0:
        for begin in range(0, len(best.actions), size):
            actions = [*best.actions[:begin], *best.actions[begin + size :]]
            found = run(replace(best.schedule, actions=actions))
            left -= 1
            if found.wrongs:
                best = found
                break
        else:
            size //= 2
    for number in list(best.told)[:_ATTEMPTS]:
        muted = best.schedule.muted | {number}
        found = run(replace(best.schedule, actions=best.actions, muted=muted))
        if found.wrongs:
            best = found
    return best


def told(outcome: Outcome) -> str:
    """The schedule and what is wrong with it, in words."""
    seed = outcome.schedule.seed
    lines = [f"seed {seed} (python -m tests.operator.faults --first {seed} --schedules 1)"]
    lines += [f"  wrong: {wrong}" for wrong in outcome.wrongs[:_SHOWN]]
    lines += [f"  {action!r}" for action in outcome.actions]
    lines += [f"  fault of request {number}: {fault}" for number, fault in outcome.told.items()]
    return "\n".join(lines)
