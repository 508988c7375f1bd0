"""SIGINT and SIGTERM as a request to stop, for commands that serve. The second one ends the process at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["Stop", "Stopped", "until_stopped"]

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """The process was told to stop before the work was done."""


class Stop:
    """Whether the process was told to stop: `event` is set then."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    async def unless(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; it is cancelled and `Stopped` raised when the request to stop comes first."""
        task, told = asyncio.ensure_future(work), asyncio.ensure_future(self.event.wait())
        try:
            await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Stopped
            return task.result()
        finally:
            told.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})


def _say() -> None:
    from lmos.cli.terminal import error_console  # not for those who say it otherwise

    error_console().print("stopping; again to stop at once")


@contextmanager
def until_stopped(tell: Callable[[], None] = _say) -> Generator[Stop]:
    """Takes the process's signals for the body of the context. Call it in a running event loop of the main thread.

    `tell` is called with the first signal.
    """
    loop, stop = asyncio.get_running_loop(), Stop()

    def release() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def told() -> None:
        tell()
        release()
        stop.event.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, told)
    try:
        yield stop
    finally:
        release()
