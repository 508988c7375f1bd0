"""`Learner`: lessons, learnt once for each roster and remembered by what it says. The vector classifier asks it.

Learning runs in one worker thread: queries of other channels are answered meanwhile. A roster that resembles one that
is known starts from it and is live at once, and of a long one a part is learnt first; it is then learnt from scratch in
the background, so that what a roster teaches never depends on what was there before it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

import anyio
import anyio.to_thread

from lmos.encoders.base import Encoder
from lmos.encoders.vocabulary import known_words
from lmos.router.background import BACKGROUND
from lmos.router.base import Roster
from lmos.router.examples import TrainingSet
from lmos.router.lesson import Lesson, learn, relearn, sketch

__all__ = ["Learner"]

MOST_ROSTERS = 32
MOST_DIGESTS = 1024

# Of a roster with more texts, so many examples of each capability are learnt for the first queries.
LONG = 2000
FIRST_EXAMPLES = 10

# A roster resembles another when they share this much of all their capabilities.
RESEMBLANCE = 0.5


class Learner:
    """Keeps the lessons of the most recently used rosters. Requests that come while it learns wait for the same one."""

    def __init__(self, encoders: Sequence[Encoder], most_rosters: int = MOST_ROSTERS) -> None:
        self._encoders = tuple(encoders)
        self._most_rosters = most_rosters
        self._lessons: OrderedDict[str, Lesson] = OrderedDict()
        self._digests: OrderedDict[str, str] = OrderedDict()
        self._running: dict[str, asyncio.Task[Lesson]] = {}
        self._limiter = anyio.CapacityLimiter(1)

    async def lesson(self, roster: Roster) -> Lesson:
        """What `roster` (at least one agent) teaches. Raises `EncoderError` when its texts cannot be encoded."""
        digest = self._digest(roster)
        known = self._lessons.get(digest)
        if known is None:
            # A customer who leaves must not stop the others' lesson.
            return await asyncio.shield(self._start(digest, roster, whole=False))
        self._lessons.move_to_end(digest)
        if known.provisional:
            self._start(digest, roster)
        return known

    async def settled(self, roster: Roster) -> Lesson:
        """As `lesson`, but waits until the background work for `roster` is done."""
        digest = self._digest(roster)
        while digest not in self._lessons or self._lessons[digest].provisional:
            await asyncio.shield(self._start(digest, roster))
        return await self.lesson(roster)

    def _digest(self, roster: Roster) -> str:
        """What the roster's texts are known by: rosters that differ in order or versions alone teach the same."""
        digest = self._digests.get(roster.digest)
        if digest is None:
            digest = self._digests[roster.digest] = TrainingSet.of(roster).digest
            while len(self._digests) > MOST_DIGESTS:
                self._digests.popitem(last=False)
        return digest

    def _start(self, digest: str, roster: Roster, whole: bool = True) -> asyncio.Task[Lesson]:
        """The task that learns `roster`, begun by this call unless it runs already (in this event loop)."""
        task = self._running.get(digest)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = asyncio.create_task(self._learn(digest, roster, whole))
            self._running[digest] = task
            task.add_done_callback(lambda done: self._finish(digest, done))
        return task

    async def _learn(self, digest: str, roster: Roster, whole: bool) -> Lesson:
        training = everything = TrainingSet.of(roster)
        before = None if digest in self._lessons else self._nearest(training)
        if before is None and not whole and len(training.texts) > LONG:
            training = everything.thinned(FIRST_EXAMPLES)
        vectors = [await encoder.encode(training.texts) for encoder in self._encoders]
        background = [await encoder.encode(BACKGROUND) for encoder in self._encoders]
        names = [encoder.name for encoder in self._encoders]
        words = await anyio.to_thread.run_sync(known_words)
        if before is not None:
            return await anyio.to_thread.run_sync(relearn, before, training, vectors, background, words)
        if training is not everything:
            return await anyio.to_thread.run_sync(sketch, everything, training, vectors, background, names, words)
        return await anyio.to_thread.run_sync(learn, training, vectors, background, names, words, limiter=self._limiter)

    def _nearest(self, training: TrainingSet) -> Lesson | None:
        """The settled lesson that shares most capabilities with `training`; `None` when none resembles it."""
        wanted = set(training.capabilities)

        def shared(lesson: Lesson) -> float:
            own = set(lesson.training.capabilities)
            return len(own & wanted) / len(own | wanted)

        settled = [lesson for lesson in self._lessons.values() if not lesson.provisional]
        best = max(settled, key=shared, default=None)
        return best if best is not None and shared(best) >= RESEMBLANCE else None

    def _finish(self, digest: str, task: asyncio.Task[Lesson]) -> None:
        if self._running.get(digest) is task:
            del self._running[digest]
        if task.cancelled() or task.exception() is not None:
            return
        self._lessons[digest] = task.result()
        self._lessons.move_to_end(digest)
        while len(self._lessons) > self._most_rosters:
            self._lessons.popitem(last=False)
