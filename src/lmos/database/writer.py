"""The one thread that writes: everything that waits becomes one transaction (group commit).

`engine.Database` owns it. It orders and commits work, and knows nothing of what the work does.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from lmos.database.base import BatchWork, DatabaseBusy, DatabaseClosed

__all__ = ["MAX_BATCH", "MAX_WAITING", "Writer"]

MAX_BATCH: Final = 256
"""Most works in one transaction: bounds how long the first of them waits."""

MAX_WAITING: Final = 20_000
"""Most works that may wait; beyond, the disk is too slow for the load and callers are told so."""


class _Item(NamedTuple):
    work: BatchWork[Any, Any]
    argument: Any
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class _Failure(NamedTuple):
    error: Exception


class Writer:
    """Runs works in order of `put`, each in a transaction with others that waited at that time.

    A work that raises harms no other: the transaction is rolled back and its works run again, each behind a savepoint
    of its own. So the usual case pays for no savepoint, and works must be pure SQL, since they may run twice.
    """

    def __init__(self, engine: Engine, translate: Callable[[DBAPIError], Exception]) -> None:
        self._engine = engine
        self._translate = translate
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._connection: Connection | None = None  # kept: taking one from the pool costs as much as a small write
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="lmos-database-writer", daemon=True)
        self._thread.start()

    def put(self, work: BatchWork[Any, Any], argument: Any) -> asyncio.Future[Any]:
        """Queue `argument` for `work`; the future is done after the commit. Call from a running event loop.

        Neighbours in the queue with the same `work` are handed to it in one call. Cancelling the future does not
        undo the write. Raises `DatabaseClosed` and `DatabaseBusy`.
        """
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._lock:  # so that nothing can be queued behind the end mark
            if self._closed:
                raise DatabaseClosed("the database is closed; open it again")
            if self._queue.qsize() >= MAX_WAITING:
                raise DatabaseBusy(f"{MAX_WAITING} writes wait for the disk; send less, or use a faster disk")
            self._queue.put(_Item(work, argument, future, loop))
        return future

    def close(self) -> None:
        """Write what waits and end the thread. Blocks; safe to call twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        more = True
        while more:
            batch: list[_Item] = []
            more = self._take(batch)
            if batch:
                _deliver(batch, self._write(batch))
        self._let_go()

    def _take(self, batch: list[_Item]) -> bool:
        """Fill `batch` with what waits, at least one item; false after the end mark."""
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == MAX_BATCH:
                return True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return True
        return False

    def _write(self, batch: Sequence[_Item]) -> Sequence[Any]:
        """A result or a `_Failure` for each item."""
        begun = False
        try:
            with self._transaction() as connection:
                begun = True
                return _run_together(connection, batch)
        except Exception as error:  # noqa: BLE001 - the border of the thread: callers get it, the thread goes on
            if not begun or len(batch) == 1:
                return [self._failure(error) for _ in batch]
        try:
            with self._transaction() as connection:
                return [self._run_alone(connection, item) for item in batch]
        except Exception as error:  # noqa: BLE001 - as above; here the transaction itself failed
            return [self._failure(error) for _ in batch]

    @contextmanager
    def _transaction(self) -> Generator[Connection]:
        """A transaction on the kept connection; one that fails in any way is not used again."""
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            with self._connection.begin():
                yield self._connection
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _run_alone(self, connection: Connection, item: _Item) -> Any:
        try:
            with connection.begin_nested():
                return _run_together(connection, [item])[0]
        except Exception as error:  # noqa: BLE001 - as above; the savepoint keeps it from the others
            return self._failure(error)

    def _failure(self, error: Exception) -> _Failure:
        if isinstance(error, DBAPIError):
            translated = self._translate(error)
            translated.__cause__ = error
            return _Failure(translated)
        if isinstance(error, StopIteration):  # which a future refuses
            return _Failure(RuntimeError("a work raised StopIteration"))
        return _Failure(error)


def _run_together(connection: Connection, batch: Sequence[_Item]) -> list[Any]:
    results: list[Any] = []
    for work, group in groupby(batch, attrgetter("work")):
        arguments = [item.argument for item in group]
        found = work(connection, arguments)
        if len(found) != len(arguments):
            raise RuntimeError(f"{work!r} returned {len(found)} results for {len(arguments)} arguments")
        results.extend(found)
    return results


def _deliver(batch: Sequence[_Item], outcomes: Sequence[Any]) -> None:
    """Hand outcomes over with one wake-up for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for item, outcome in zip(batch, outcomes, strict=True):
        by_loop.setdefault(item.loop, []).append((item.future, outcome))
    for loop, settled in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, settled)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _settle(settled: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, outcome in settled:
        if future.done():  # cancelled by its caller
            continue
        if isinstance(outcome, _Failure):
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome)
