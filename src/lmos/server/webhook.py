"""The admission webhook of an operator process: a guard over what its manager knows, which knows who we are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import ASGIApp

from lmos.operator.admission import admission_app
from lmos.operator.base import StoreError
from lmos.operator.guard import Guard, Mode
from lmos.operator.kubernetes.client import Client
from lmos.operator.kubernetes.errors import Forbidden, NotServed
from lmos.operator.kubernetes.identity import own_name
from lmos.operator.manager import Manager
from lmos.operator.probes import waiting_for
from lmos.server.background import running
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["webhook"]

_AGAIN_SECONDS: Final = 2.0

_log = logger("server")


@asynccontextmanager
async def webhook(manager: Manager, client: Client, mode: Mode, namespaces: Collection[str]) -> AsyncGenerator[ASGIApp]:
    """The application that answers reviews, of `namespaces` (all if there is none), while the context lasts."""
    unknown = ["our own name"]
    guard = Guard(
        manager.views,
        mode,
        watches=lambda namespace: not namespaces or namespace in namespaces,
        waits_for=lambda: [*waiting_for(manager), *unknown],
    )

    async def learn_own_name() -> None:
        while unknown:
            try:
                guard.exempt.add(await own_name(client))
                unknown.clear()
            except (Forbidden, NotServed) as fault:
                _log.warning(names.EVENT_OWN_NAME_UNKNOWN, error=str(fault))
                unknown.clear()
            except StoreError:
                await asyncio.sleep(_AGAIN_SECONDS)  # the API server is away: others say so

    async with running(learn_own_name(), "own name"):
        yield admission_app(guard)
