"""The Channel controller: keeps each Channel's ChannelRouting and status equal to what its agents provide.

The manager feeds it. A reconcile reads everything from caches, derives the desired state by pure functions, and writes
only what differs. When a Channel goes, the store removes the routing that it owns.
"""

from __future__ import annotations

from lmos.clock import Clock
from lmos.operator import reasons
from lmos.operator.base import NotFound, Store
from lmos.operator.cache import Name
from lmos.operator.derive import COPIED_LABELS, routing_for, status_for
from lmos.operator.recorder import Recorder
from lmos.operator.resolver import Resolution, resolve
from lmos.operator.views import Views
from lmos.resources.channel import Channel, ChannelStatus
from lmos.resources.routing import ChannelRouting

__all__ = ["ChannelReconciler"]


class ChannelReconciler:
    """`reconcile(name)` brings one Channel's routing and status up to date. Raises `StoreError` when a write fails."""

    def __init__(
        self, store: Store, clock: Clock, views: Views, recorder: Recorder, *, platform_host: str | None
    ) -> None:
        self._store = store
        self._clock = clock
        self._views = views
        self._recorder = recorder
        self._platform_host = platform_host

    async def reconcile(self, name: Name) -> None:
        channel = self._views.channels.get(name)
        if channel is None or channel.metadata.deletion_timestamp is not None:
            return
        resolution = resolve(channel, self._views.agents_for(channel))
        await self._write_routing(channel, resolution)
        await self._write_status(channel, resolution)

    async def _write_routing(self, channel: Channel, resolution: Resolution) -> None:
        desired = routing_for(channel, resolution, platform_host=self._platform_host)
        known = self._views.routings.get((channel.metadata.namespace, channel.metadata.name))
        if known is None or not _equal(known, desired):
            written = await self._store.apply(desired, field_manager=reasons.FIELD_MANAGER, without=_absent(desired))
            self._views.routings.record(written)

    async def _write_status(self, channel: Channel, resolution: Resolution) -> None:
        status = status_for(channel, resolution, self._clock.now())
        if channel.status == status:
            return
        # Conditional on the version that was read: a status never describes, or hides, a spec that was not seen.
        changed = channel.model_copy(update={"status": status})
        try:
            written = await self._store.update_status(changed, field_manager=reasons.STATUS_FIELD_MANAGER)
        except NotFound:
            # Deleted since it was read; its event is on the way, and there is nothing left to describe.
            return
        self._views.channels.record(written)
        self._tell(channel, status)

    def _tell(self, channel: Channel, status: ChannelStatus) -> None:
        """An event when the channel's condition turned, or its reason or message changed."""
        (now,) = status.conditions
        before = channel.status.conditions if channel.status is not None else ()
        if any(
            (c.type, c.status, c.reason, c.message) == (now.type, now.status, now.reason, now.message) for c in before
        ):
            return
        kind = "Normal" if now.status == "True" else "Warning"
        self._recorder.record(channel, kind, now.reason, reasons.ACTION_RESOLVE, now.message)


def _absent(desired: ChannelRouting) -> list[str]:
    """What means something, wherever it comes from, and is not to be there."""
    found = [label for label in COPIED_LABELS if label not in desired.metadata.labels]
    return found if reasons.AGENTS in desired.metadata.annotations else [*found, reasons.AGENTS]


def _equal(known: ChannelRouting, desired: ChannelRouting) -> bool:
    """Whether what the operator owns in `known` is as desired; labels that others add are theirs."""
    labels, wanted = known.metadata.labels, desired.metadata.labels
    return (
        known.spec == desired.spec
        and all(labels.get(label) == wanted.get(label) for label in COPIED_LABELS)
        and known.metadata.annotations.get(reasons.AGENTS) == desired.metadata.annotations.get(reasons.AGENTS)
        and all(owner in known.metadata.owner_references for owner in desired.metadata.owner_references)
    )
