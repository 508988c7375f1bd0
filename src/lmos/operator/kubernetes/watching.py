"""The events of one watch: lines of an API server's answer, decoded and checked, until it ends in an orderly way.

`Lister` and `KubernetesStore` build on it. Whatever goes wrong is a `StoreError`, so that a watch never goes on with a
gap: a line that is no JSON, an ERROR event, a connection that breaks or falls silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final, cast

import orjson

from lmos.operator.kubernetes.client import Client, Json
from lmos.operator.kubernetes.errors import Refusal, error_of
from lmos.operator.kubernetes.transport import TransportError

__all__ = ["OPENED", "Silent", "read_events"]

OPENED: Final = "OPENED"
_ERROR: Final = "ERROR"
_TYPES: Final = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK", _ERROR})


class Silent(TransportError):
    """Nothing came for too long: there is nothing to tell, or the connection is dead. Only another request shows."""


async def read_events(
    client: Client, path: str, query: Mapping[str, str], *, stall: float
) -> AsyncGenerator[tuple[str, Json], None]:
    """Type (ADDED, MODIFIED, DELETED, BOOKMARK) and object of each event; `OPENED` first, when the server has answered.

    Raises `ResourceExpired` for a version that is too old, and `Silent` after `stall` seconds without an event.
    """
    async with client.stream(path, query=query) as lines:
        yield OPENED, {}
        while True:
            try:
                async with asyncio.timeout(stall):
                    line = await anext(lines, None)
            except TimeoutError as error:
                raise Silent(f"the watch on {path} has been silent for {stall:g} s; begin it again") from error
            if line is None:
                return
            yield _decoded(line, path)


def _decoded(line: bytes, path: str) -> tuple[str, Json]:
    try:
        data: Any = orjson.loads(line)
        change, found = data["type"], cast("Json", data["object"])
        if change not in _TYPES:
            raise KeyError(change)
        found["metadata"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        begin = line[:80].decode(errors="replace")
        raise TransportError(
            f"the watch on {path} sent what is no event ({len(line)} bytes, {begin!r}...); it is begun again"
        ) from error
    if change == _ERROR:
        raise error_of(Refusal.of_status(found), "GET", path)
    return change, found
