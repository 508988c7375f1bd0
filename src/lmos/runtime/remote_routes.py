"""`RemoteRoutes`: the routes of an operator elsewhere, of either kind: from a copy of ours, or asked one by one."""

from __future__ import annotations

from collections.abc import Callable

from lmos.operator.mirror import Mirror
from lmos.operator.remote import RemoteOperator
from lmos.resources.routing import ChannelRouting
from lmos.runtime.asked_routes import AskedRoutes
from lmos.runtime.routes import Route, Routes, RoutesUnknown, RoutingTable

__all__ = ["RemoteRoutes"]


class RemoteRoutes:
    """A `Routes`; `run` it as a task, beside the mirror's. `on_route` is called with each that is new or changed."""

    def __init__(
        self,
        remote: RemoteOperator,
        mirror: Mirror,
        namespace: str,
        on_route: Callable[[Route], None] = lambda _: None,
    ) -> None:
        self._remote = remote
        self._mirror = mirror
        self._namespace = namespace
        self._table = RoutingTable(mirror.catalog, namespace, on_route)
        self._asked = AskedRoutes(self._ask, on_route)

    @property
    def ready(self) -> bool:
        """Whether routes can be found: they were copied once, or the operator wants to be asked."""
        return self._remote.watchable is False or self._table.is_synced

    async def run(self) -> None:
        """Follow the copy until cancelled."""
        await self._mirror.copied()
        await self._table.run()

    async def find(self, tenant: str, channel: str, subset: str) -> Route | None:
        return await self._source().find(tenant, channel, subset)

    def subsets(self, tenant: str, channel: str) -> list[str]:
        return self._source().subsets(tenant, channel)

    def _source(self) -> Routes:
        if self._remote.watchable is False:
            return self._asked
        if not self._table.is_synced:
            raise RoutesUnknown("the routings were not read from the operator yet; try again soon")
        return self._table

    async def _ask(self, tenant: str, channel: str, subset: str) -> ChannelRouting | None:
        labels = {"tenant": tenant, "channel": channel, "subset": subset}
        found = (await self._remote.ask(ChannelRouting.KIND, self._namespace, labels)).items
        return found[0] if found and isinstance(found[0], ChannelRouting) else None
