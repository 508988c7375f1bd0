"""`Mirror`: a copy of one namespace of an operator elsewhere, kept up to date, which outlives the operator's absence.

`lmos runtime` has one: its routing table and its channel queries read `catalog` as `lmos up` reads its own. Where the
operator cannot be watched (one of Eclipse LMOS), and for other namespaces, single questions are passed on to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import anyio

from lmos.operator import metrics
from lmos.operator.base import Listing
from lmos.operator.cache import Cache, Informer
from lmos.operator.catalog import BY_LABELS, Catalog
from lmos.operator.probes import STUCK_WATCH_SECONDS
from lmos.operator.remote import RemoteOperator
from lmos.resources.channel import Channel
from lmos.resources.routing import ChannelRouting

__all__ = ["Mirror"]

_MAX_DELAY: Final = 5.0
"""Seconds between attempts to reach an operator that is away: when it is back, customers should soon notice changes."""


class Mirror:
    """`run` it as a task. `catalog` can be read from the first list on; `list` answers whatever can be answered."""

    def __init__(self, remote: RemoteOperator, namespace: str) -> None:
        self._remote = remote
        self._namespace = namespace
        channels, routings = Cache(Channel, BY_LABELS), Cache(ChannelRouting, BY_LABELS)
        self.catalog = Catalog(channels, routings)
        self._informers: tuple[Informer[Any], ...] = (self._informer(channels), self._informer(routings))

    async def copied(self) -> None:
        """Wait until everything was copied once."""
        for informer in self._informers:
            await informer.synced.wait()

    def stuck(self) -> list[str]:
        """Why this process should be started again; nothing while it moves, or has nothing to follow."""
        if self._remote.watchable is False:
            return []
        return [
            f"the watch of {informer.kind} objects has not moved for {informer.idle:.0f} s"
            for informer in self._informers
            if informer.idle > STUCK_WATCH_SECONDS
        ]

    @property
    def trouble(self) -> str:
        """Why it cannot follow the operator now; empty while it can."""
        return next((str(informer.fault) for informer in self._informers if informer.fault is not None), "")

    async def run(self) -> None:
        """Follow the operator until cancelled; while it is away, the copy stays as it is."""
        for informer in self._informers:
            metrics.CACHE_LAST_EVENT_SECONDS.labels(informer.kind).set_function(
                lambda informer=informer: informer.silence
            )
        async with anyio.create_task_group() as tasks:
            for informer in self._informers:
                tasks.start_soon(informer.run)

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        """As `Store.list`; without the copy, `selector` must name tenant and subset. Raises `StoreError`."""
        if namespace == self._namespace and self._remote.watchable is not False:
            return await self.catalog.list(kind, namespace, selector)
        return await self._remote.ask(kind, namespace, selector or {})

    def _informer(self, cache: Cache[Any]) -> Informer[Any]:
        feed = self.catalog.feed(cache.kind, self._namespace)
        return Informer(self._remote, cache, self._namespace, lambda old, new: None, feed=feed, max_delay=_MAX_DELAY)
