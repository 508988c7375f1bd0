"""`AskedRoutes`: routes of an operator that can only be asked, as the Eclipse LMOS runtime asks it, and a short memory.

What was answered is good for a few seconds, and while the operator does not answer, for as long as that lasts: a
customer's turn must not wait for it twice, nor fail with it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from lmos.operator.base import StoreError
from lmos.resources.routing import ChannelRouting
from lmos.runtime.routes import Labels, Route, RoutesUnknown, compile_route
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["GOOD_SECONDS", "AskedRoutes"]

GOOD_SECONDS: Final = 5.0
"""How long an answer is taken as it is."""

_REMEMBERED: Final = 4096
"""Callers name tenants and channels: what they invent must not fill the memory."""

Ask = Callable[[str, str, str], Awaitable[ChannelRouting | None]]
"""The routing of tenant, channel and subset. Raises `StoreError`."""

_log = logger("runtime")


@dataclass(slots=True)
class _Known:
    route: Route | None
    until: float


class AskedRoutes:
    """A `Routes`. `on_route` is called with each route that is new or changed."""

    def __init__(self, ask: Ask, on_route: Callable[[Route], None] = lambda _: None) -> None:
        self._ask = ask
        self._on_route = on_route
        self._known: OrderedDict[Labels, _Known] = OrderedDict()
        self._asking: dict[Labels, asyncio.Task[Route | None]] = {}

    async def find(self, tenant: str, channel: str, subset: str) -> Route | None:
        """The route, or `None`. Raises `RoutesUnknown` when the operator does not answer and never has."""
        labels = (tenant, channel, subset)
        known = self._known.get(labels)
        if known is not None and _now() < known.until:
            self._known.move_to_end(labels)
            return known.route
        asking = self._asking.get(labels)
        if asking is None:
            asking = self._asking[labels] = asyncio.create_task(self._ask_anew(labels, known), name="ask for a route")
            asking.add_done_callback(lambda _: self._asking.pop(labels, None))
        # Several turns may wait for one answer: one that is cancelled does not take it from the others.
        return await asyncio.shield(asking)

    def subsets(self, tenant: str, channel: str) -> list[str]:
        """The subsets in which a channel is known to exist, sorted."""
        return sorted(s for (t, c, s), known in self._known.items() if (t, c) == (tenant, channel) and known.route)

    async def _ask_anew(self, labels: Labels, known: _Known | None) -> Route | None:
        try:
            routing = await self._ask(*labels)
        except StoreError as fault:
            if known is None:
                raise RoutesUnknown(
                    "the operator cannot be asked for the channel's routing; try again later"
                ) from fault
            _log.warning(names.EVENT_ROUTE_NOT_ASKED, tenant=labels[0], channel=labels[1], error=str(fault))
            self._remember(labels, known.route)
            return known.route
        if known is not None and known.route is not None and known.route.routing == routing:
            route = known.route
        else:
            route = None if routing is None else compile_route(routing)
            if route is not None:
                self._on_route(route)
        self._remember(labels, route)
        return route

    def _remember(self, labels: Labels, route: Route | None) -> None:
        self._known[labels] = _Known(route, _now() + GOOD_SECONDS)
        self._known.move_to_end(labels)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _now() -> float:
    return asyncio.get_running_loop().time()
