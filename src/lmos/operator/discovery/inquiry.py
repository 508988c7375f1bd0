"""Asks agents what they can do, no oftener than there is reason to, and keeps in mind what came of it.

The Agent controller calls `ask` in every reconcile; most calls send nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from lmos.operator import reasons
from lmos.operator.cache import Name
from lmos.operator.discovery.base import Documents, Finding, Place, Target, Undiscovered
from lmos.operator.discovery.documents import Told, offer_of
from lmos.operator.discovery.timetable import Timetable
from lmos.resources.agent import AgentSource, Offer

__all__ = ["Answer", "Inquirer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent said, and where."""

    place: Place
    offer: Offer


class Inquirer:
    """Asks by `documents`; without one, nobody is asked, and nothing is known of anybody."""

    def __init__(self, documents: Documents | None) -> None:
        self._documents = documents
        self._timetable = Timetable()

    async def ask(
        self, name: Name, target: Target, told: Told, kept: AgentSource | None, *, unready: Finding | None = None
    ) -> Answer | None:
        """What the agent `name` says at `target`; `None` while that which is kept of its last answer holds.

        `kept` is the source of that answer. `unready` says why the agent cannot be asked now. Raises `Undiscovered`.
        """
        if self._documents is None:
            raise Undiscovered(
                reasons.DISCOVERY_OFF,
                "this operator asks no agents; switch LMOS_DISCOVERY on, or write into the spec what the agent can do",
            )
        if target.gave(kept):
            self._timetable.known(name, target)
            if unready is not None or self._timetable.holds(name, target):
                return None
        fault = self._timetable.fault(name, target)
        if fault is not None and (unready is not None or self.pause(name, target) > 0):
            raise Undiscovered(fault.reason, fault.message)
        if unready is not None:
            raise Undiscovered(unready.reason, unready.message)
        try:
            document = await self._documents.fetch(target.places)
            offer = offer_of(document, told)
        except Undiscovered as error:
            self._timetable.failed(name, target, error.finding)
            raise
        self._timetable.answered(name, target)
        return Answer(document.place, offer)

    def pause(self, name: Name, target: Target) -> float:
        """Seconds until it is time to ask again; 0 when it is, and for who was never asked."""
        return self._timetable.wait(name, target)

    def repair(self, name: Name) -> float:
        """Seconds until the agent may be asked because somebody has written over its answer."""
        return self._timetable.repair(name)

    def forget(self, name: Name) -> None:
        """Nobody wants to know any more what the agent can do."""
        self._timetable.forget(name)
