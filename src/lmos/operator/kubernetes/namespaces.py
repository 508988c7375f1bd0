"""`AbsentNamespaces`: which of the namespaces to watch do not exist. Kubernetes lists and watches them all the same.

So a slip in a setting would look like an empty namespace. `lmos operator` is not ready until they are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

from lmos.operator import reasons
from lmos.operator.base import NotFound, StoreError
from lmos.operator.kubernetes.errors import Forbidden
from lmos.telemetry.logs import logger

__all__ = ["AbsentNamespaces"]

_AGAIN_SECONDS: Final = 5.0

_log = logger("operator")


class _Api(Protocol):
    async def get(self, path: str) -> dict[str, Any]: ...


class AbsentNamespaces:
    """`run` it as a task. Who may not look at namespaces gets no answer, and `names` stays empty."""

    def __init__(self, api: _Api, wanted: Sequence[str]) -> None:
        self._api = api
        self._wanted = wanted
        self.names: tuple[str, ...] = ()

    async def run(self) -> None:
        """Look until all exist."""
        unseen = list(self._wanted)
        while unseen:
            try:
                absent = [name for name in unseen if not await self._exists(name)]
            except Forbidden:
                return
            except StoreError:
                pass  # the API server is away: others say so
            else:
                for name in absent:
                    if name not in self.names:
                        _log.warning(
                            reasons.EVENT_NAMESPACE_MISSING,
                            namespace=name,
                            fix=f"kubectl create namespace {name}, or take it out of LMOS_NAMESPACES",
                        )
                self.names, unseen = tuple(absent), absent
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _exists(self, name: str) -> bool:
        try:
            await self._api.get(f"/api/v1/namespaces/{name}")
        except NotFound:
            return False
        return True
