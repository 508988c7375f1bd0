"""Wakes the watches of an embedded store when something changed: at once for own writes, soon for other processes'.

`SqliteStore` owns one; all its watches share one poller, which runs only while somebody watches. It carries version
numbers, not changes: what changed is read from the store's change log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Final

from lmos.operator.base import StoreError

__all__ = ["POLL_SECONDS", "Changes"]

POLL_SECONDS: Final = 0.1
"""Pause between two looks for writes of other processes: one read of one row, some 0.1 ms of CPU."""


class Changes:
    """The newest version that this process knows of, and waiting for a newer one. Belongs to one event loop."""

    def __init__(self, latest: Callable[[], Awaitable[int]]) -> None:
        self._read_latest = latest
        self._latest = 0
        self._moved = asyncio.Event()
        self._watchers = 0
        self._poller: asyncio.Task[None] | None = None
        self._fault: StoreError | None = None
        self._closed = False

    def note(self, version: int) -> None:
        """Wake who waits for a version before `version`."""
        if version > self._latest:
            self._latest = version
            self._wake()

    async def after(self, version: int) -> None:
        """Wait until a version greater than `version` exists. Raises `StoreError` when polling fails or is closed."""
        while self._latest <= version:
            if self._closed:
                raise StoreError("the store was closed while it was watched; open it again")
            if self._fault is not None:
                raise self._fault
            await self._moved.wait()

    @contextmanager
    def watching(self) -> Generator[None]:
        """Poll while inside."""
        self._watchers += 1
        if self._poller is None and not self._closed:
            self._fault = None
            self._poller = asyncio.create_task(self._poll(), name="store poller")
        try:
            yield
        finally:
            self._watchers -= 1
            if self._watchers == 0 and self._poller is not None:
                self._poller.cancel()
                self._poller = None

    async def aclose(self) -> None:
        """Stop polling and end all watches."""
        self._closed = True
        poller, self._poller = self._poller, None
        if poller is not None:
            poller.cancel()
            await asyncio.wait([poller])
        self._wake()

    async def _poll(self) -> None:
        try:
            while True:
                self.note(await self._read_latest())
                await asyncio.sleep(POLL_SECONDS)
        except StoreError as fault:
            self._fault = fault
            self._poller = None
            self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
