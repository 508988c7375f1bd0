"""`Warmup`: the classifier learns a channel's agents when its routing changes, so that no customer waits for it."""

from __future__ import annotations

import asyncio
from typing import Final

from lmos.encoders.base import EncoderError
from lmos.router.base import Classifier, ClassifierError
from lmos.runtime.routes import Route
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["Warmup"]

_log: Final = logger("server")


class Warmup:
    """Give `note` to the routing table and `run()` it as a task. Of a channel that changes often, the newest counts."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._waiting: dict[str, Route] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def note(self, route: Route) -> None:
        """The routing of a channel is new or changed."""
        self._waiting[route.name] = route
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Learn until cancelled. What cannot be learnt is logged, and met again by the channel's first query."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                name, route = next(iter(self._waiting.items()))
                del self._waiting[name]
                try:
                    await self._classifier.prepare(route.roster)
                except (EncoderError, ClassifierError) as error:
                    _log.warning(names.EVENT_ROSTER_NOT_LEARNT, routing=name, error=str(error))
            if not self._waiting:
                self._idle.set()

    async def done(self) -> None:
        """Wait until everything noted so far is learnt."""
        await self._idle.wait()
