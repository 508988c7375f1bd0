"""`Feed`: the recent changes of one kind in one namespace (or all), so that readers can follow, resume and catch up.

An informer writes it as its watch tells; watches of the REST API read it, each at its own pace, from the one log: a
reader that is too slow falls off its end and has to list again, and nothing is ever buffered for it. Positions are the
store's resource versions, hence the same in every replica. It knows neither HTTP nor what the objects mean.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, Literal

from lmos.operator.base import Listing, ResourceExpired, WatchEvent
from lmos.resources.base import Resource

__all__ = ["FEED_SIZE", "Change", "Feed", "Reader"]

FEED_SIZE: Final = 1024
"""Changes that are kept at least; they share the objects with the cache, except for states that are past."""

_version = attrgetter("version")


@dataclass(slots=True)
class Change:
    """An object as it was stored at `version`; for `deleted`, its last state. `frame` is the place of its wire form."""

    version: int
    type: Literal["added", "modified", "deleted"]
    resource: Resource
    frame: bytes | None = field(default=None, compare=False)


@dataclass(slots=True)
class _Log:
    """What a feed and its readers share. All up to version `latest` was told, that up to `since` is not kept any more.

    `lives` counts how often it was begun anew: who followed an earlier one lists again.
    """

    changes: list[Change] = field(default_factory=list[Change])
    since: int = 0
    latest: int = 0
    lives: int = 0
    closed: bool = False
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()


class Feed:
    """Changes in the order of their versions. `ready` turns true with the first `listed`; then it can be read."""

    def __init__(self, *, size: int = FEED_SIZE) -> None:
        self._size = size
        self._log = _Log()
        self._listed = False

    @property
    def ready(self) -> bool:
        """Whether the kind was listed, so that what is absent does not exist."""
        return self._listed

    @property
    def latest(self) -> int:
        """The version up to which everything was told."""
        return self._log.latest

    def listed(self, listing: Listing, *, vanished: bool) -> None:
        """Take over a listing after a gap. What `vanished` in it has no version of its own, so readers list again."""
        log, version = self._log, int(listing.resource_version)
        if vanished or not self._listed:
            self._restart(version)
        else:
            missed = [Change(_version_of(r), "modified", r) for r in listing.items if _version_of(r) > log.latest]
            self._append(sorted(missed, key=_version))
            log.latest = max(log.latest, version)
        self._listed = True
        log.wake()

    def told(self, event: WatchEvent, *, news: bool) -> None:
        """Take over an event of the watch. `news` says whether it changed what was known."""
        log, version = self._log, int(event.resource_version)
        if version > log.latest:
            if event.resource is not None and event.type != "bookmark":
                self._append([Change(version, event.type, event.resource)])
            log.latest = version
            log.wake()
        elif news:
            # Out of order: there is no place left for it in the log.
            self._restart(log.latest)
            log.wake()

    def follow(self, since: int) -> Reader:
        """A reader of what comes after version `since`. Raises `ResourceExpired` when that is not kept any more."""
        reader = Reader(self._log, since)
        reader.take(0)
        return reader

    def close(self) -> None:
        """End all who follow: the process stops."""
        self._log.closed = True
        self._log.wake()

    def _append(self, changes: Sequence[Change]) -> None:
        log = self._log
        log.changes.extend(changes)
        if len(log.changes) > 2 * self._size:
            surplus = len(log.changes) - self._size
            log.since = log.changes[surplus - 1].version
            del log.changes[:surplus]

    def _restart(self, version: int) -> None:
        log = self._log
        log.changes.clear()
        log.lives += 1
        log.since = log.latest = version


class Reader:
    """One who follows a feed. `position` is the version up to which it knows everything."""

    def __init__(self, log: _Log, since: int) -> None:
        self._log = log
        self._life = log.lives
        self.position = since

    @property
    def ended(self) -> bool:
        """Whether the feed is closed: nothing more comes."""
        return self._log.closed

    @property
    def behind(self) -> bool:
        """Whether there is something to take."""
        return self._log.latest > self.position or self._log.lives != self._life

    @property
    def ahead(self) -> bool:
        """Whether it knows of a later version than the feed, as one may that comes from another replica."""
        return self.position > self._log.latest

    def take(self, most: int = FEED_SIZE) -> Sequence[Change]:
        """The next changes, at once; empty when all are known.

        Raises `ResourceExpired` when some of them are not kept any more.
        """
        log = self._log
        if self._life != log.lives or self.position < log.since:
            raise ResourceExpired(f"changes up to version {log.since} are not kept any more; list again")
        first = bisect_right(log.changes, self.position, key=_version)
        taken = log.changes[first : first + most]
        if first + len(taken) == len(log.changes):
            self.position = max(self.position, log.latest)
        elif taken:
            self.position = taken[-1].version
        return taken

    async def wait(self) -> None:
        """Until there may be something to take, or the feed is closed."""
        while not self.behind and not self.ended:
            await self._log.moved.wait()


def _version_of(resource: Resource) -> int:
    return int(resource.metadata.resource_version or 0)
