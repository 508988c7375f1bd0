"""What an operator says of itself: whether it is stuck, so that only a restart helps, and what it still waits for.

`/livez` and `/readyz` of `lmos operator` ask here. A store that is away is no reason for either: a restart would not
bring it back, and what was read before is still good to be shown. One that refuses until somebody changes something (a
right, a CustomResourceDefinition) is a reason not to be ready, for a roll-out must stop there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from lmos.operator.base import ALL_NAMESPACES, StoreError
from lmos.operator.manager import Manager

__all__ = ["STUCK_RECONCILE_SECONDS", "STUCK_WATCH_SECONDS", "Candidate", "stuck", "waiting_for"]

STUCK_WATCH_SECONDS: Final = 300.0
"""An informer hears or fails sooner, whatever happens: a silent watch in 75 s, a busy server in 200 s."""
STUCK_RECONCILE_SECONDS: Final = 180.0
"""A reconcile is cancelled sooner; one that lasts longer does not let itself be cancelled."""


class Candidate(Protocol):
    """What is asked of an election, see `LeaseElection`."""

    @property
    def stood(self) -> bool: ...

    @property
    def trouble(self) -> StoreError | None: ...


def stuck(manager: Manager) -> list[str]:
    """Why this process should be started again; nothing while it moves."""
    found = ["the operator crashed, see its log"] if manager.crashed else []
    found += [
        f"the watch of {informer.kind} objects has not moved for {informer.idle:.0f} s"
        for informer in manager.informers
        if informer.idle > STUCK_WATCH_SECONDS
    ]
    if manager.longest > STUCK_RECONCILE_SECONDS:
        found.append(f"a reconcile has not ended for {manager.longest:.0f} s")
    return found


def waiting_for(
    manager: Manager, candidate: Candidate | None = None, *, lasting: Callable[[StoreError], bool] = lambda _: False
) -> list[str]:
    """What keeps it from being ready. `lasting` tells which faults do not go away by themselves."""
    found = stuck(manager)[:1]
    for informer in manager.required:
        if not informer.synced.is_set():
            where = "" if informer.namespace == ALL_NAMESPACES else f" of namespace {informer.namespace}"
            why = "" if informer.fault is None else f": {informer.fault}"
            found.append(f"{informer.kind} objects{where}{why}")
    if candidate is not None and candidate.trouble is not None and not candidate.stood:
        found.append(f"the Lease: {candidate.trouble}")
    faults = [*manager.faults, *([candidate.trouble] if candidate is not None and candidate.trouble else [])]
    refusals = (str(fault) for fault in faults if lasting(fault))
    found += [text for text in dict.fromkeys(refusals) if not any(text in told for told in found)]
    return found
