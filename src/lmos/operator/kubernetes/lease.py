"""Leader election by a `Lease` of the API server, as client-go does it: Go and Python operators can stand together.

`lmos operator` runs one; the manager serves a term while it leads. Nobody's wall clock is believed: a candidate takes
over when the record has not changed for the holder's lease duration, measured by its own monotonic clock, and a holder
stops leading when its own last renewal is older than the renew deadline. The API server orders the writes: each
replaces exactly the version that was read. On exit the Lease is released, so that the next one need not wait.

A process that was paused does not lead when it wakes up, since `leading` looks at the clock. What remains is a write
that was sent just before the pause; the gap between renew deadline and lease duration is what it has to arrive in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import random
from types import TracebackType
from typing import Any, Final, Protocol, Self

import anyio

from lmos.clock import Clock
from lmos.operator import metrics, reasons
from lmos.operator.base import Conflict, NotFound, StoreError
from lmos.operator.kubernetes.errors import Terminating
from lmos.telemetry.logs import logger

__all__ = ["LeaseApi", "LeaseElection", "LeaseTimes"]

_API: Final = "coordination.k8s.io/v1"
_RELEASE_SECONDS: Final = 1.5
_RELEASED_DURATION: Final = 1
"""Lease seconds of a released record, as client-go writes them: 0 is not allowed."""

Json = dict[str, Any]

_log = logger("operator")


class LeaseApi(Protocol):
    """What this module needs of the client: JSON objects by path. All raise `StoreError`."""

    async def get(self, path: str) -> Json: ...

    async def create(self, path: str, body: Json) -> Json: ...

    async def replace(self, path: str, body: Json) -> Json: ...


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds: others wait `lease` before they take over, the holder gives up after `renew`, both look every `retry`.

    Pauses are somewhat shorter than `retry`, at random, so that a follower is there within it.
    """

    lease: float = 15.0
    renew: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not self.lease > self.renew > self.retry > 0:
            raise ValueError(f"lease {self.lease} > renew {self.renew} > retry {self.retry} > 0 does not hold")


class LeaseElection:
    """An `Election`: use it as `async with LeaseElection(...) as election:`; the end of the context releases the Lease.

    `identity` must be this process's alone. `trouble` says why it cannot stand, `None` while it can; `stood` whether it
    ever could.
    """

    def __init__(
        self,
        api: LeaseApi,
        clock: Clock,
        *,
        name: str,
        namespace: str,
        identity: str,
        times: LeaseTimes | None = None,
        jitter: Callable[[], float] = random,
    ) -> None:
        self._api = api
        self._clock = clock
        self._name = name
        self._namespace = namespace
        self._identity = identity
        self._times = times or LeaseTimes()
        self._jitter = jitter
        self._lease: Json | None = None  # as last seen or written
        self._seen_at = 0.0  # when it last changed, as seen from here
        self._until: float | None = None
        self._term = 0
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._log = _log.bind(lease=f"{namespace}/{name}", identity=identity)
        self.trouble: StoreError | None = StoreError(f"the Lease {namespace}/{name} was not read yet")
        self.stood = False

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def holder(self) -> str:
        """Who holds the Lease as far as this process knows; empty when nobody does."""
        return _spec(self._lease).get("holderIdentity") or ""

    @property
    def leading(self) -> bool:
        return self._until is not None and _now() <= self._until

    async def elected(self) -> None:
        while not self.leading:
            await self._moved.wait()

    async def deposed(self) -> None:
        term = self._term
        while self._term == term and self.leading:
            await self._moved.wait()

    async def __aenter__(self) -> Self:
        metrics.LEADING.labels(self._name).set(0)
        self._task = asyncio.create_task(self._run(), name="leader election")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait((self._task,))
            await self._release()

    async def _run(self) -> None:
        while True:
            if await self._attempt():
                await self._hold()
            await asyncio.sleep(self._pause())

    async def _hold(self) -> None:
        """Serve a term: renew until that fails for too long, or somebody else holds the Lease."""
        self._begin_term()
        try:
            async with asyncio.timeout_at(self._until) as limit:
                while True:
                    await asyncio.sleep(self._pause())
                    renewed = await self._attempt()
                    if self.holder != self._identity:
                        self._log.warning(reasons.EVENT_LEASE_TAKEN, holder=self.holder)
                        return
                    if renewed:
                        limit.reschedule(self._until)
        except TimeoutError:
            self._log.warning(reasons.EVENT_LEASE_NOT_RENEWED, error=str(self.trouble or "this process was paused"))
        finally:
            self._end_term()

    def _begin_term(self) -> None:
        metrics.LEADING.labels(self._name).set(1)
        self._log.info(reasons.EVENT_LEASE_ACQUIRED)
        self._move()

    def _end_term(self) -> None:
        self._until = None
        self._term += 1
        metrics.LEADING.labels(self._name).set(0)
        self._move()

    def _move(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _attempt(self) -> bool:
        """Acquire or renew once; whether this process holds the Lease now. Faults are told by `trouble`."""
        try:
            async with asyncio.timeout(self._times.renew / 2):
                held = await self._acquire_or_renew()
        except StoreError as fault:
            if isinstance(fault, Conflict) and not isinstance(fault, Terminating):
                return False  # somebody was faster; the next attempt reads who
            self._fail(fault)
            return False
        except TimeoutError:
            self._fail(StoreError(f"the API server did not answer within {self._times.renew / 2:g} s"))
            return False
        self.trouble, self.stood = None, True
        return held

    def _fail(self, fault: StoreError) -> None:
        if str(fault) != str(self.trouble):
            self._log.warning(reasons.EVENT_LEASE_FAILED, error=str(fault))
        self.trouble = fault

    async def _acquire_or_renew(self) -> bool:
        if self.leading and self._lease is not None:
            try:
                return await self._write(self._lease)
            except Conflict:
                pass  # changed by somebody else, or by a write of ours whose answer was lost: read it
        try:
            self._see(await self._api.get(self._path))
        except NotFound:
            self._lease = None
        if self._lease is None:
            return await self._write(None)
        if self.holder not in ("", self._identity) and _now() < self._seen_at + _duration(self._lease):
            return False
        return await self._write(self._lease)

    async def _write(self, lease: Json | None) -> bool:
        """Put this process's record in place of exactly `lease`."""
        # From before the request: others count from when they see the record, which is later.
        began = _now()
        if lease is None:
            stored = await self._api.create(self._collection, self._record(None))
        else:
            stored = await self._api.replace(self._path, self._record(lease))
        self._see(stored)
        if self._until is not None and not self.leading:
            return False  # too late for this term; the next attempt begins another
        self._until = began + self._times.renew
        return True

    async def _release(self) -> None:
        """Hand the Lease back if it is ours. A fault is no more than a longer wait for the next holder."""
        if self.holder != self._identity:
            return
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                # Read again: the answer to the last renewal may have been lost.
                self._see(await self._api.get(self._path))
                if self._lease is not None and self.holder == self._identity:
                    self._see(await self._api.replace(self._path, self._released(self._lease)))
                    self._log.info(reasons.EVENT_LEASE_RELEASED)
        except (StoreError, TimeoutError) as fault:
            self._log.warning(reasons.EVENT_LEASE_NOT_RELEASED, error=str(fault) or "timed out")

    def _see(self, lease: Json) -> None:
        # By version, not by content: a holder whose wall clock stands still is alive all the same.
        if self._lease is None or _version(lease) != _version(self._lease):
            self._seen_at = _now()
        self._lease = lease

    def _record(self, lease: Json | None) -> Json:
        now, spec = _micro_time(self._clock.now()), _spec(lease)
        mine = spec.get("holderIdentity") == self._identity
        transitions = int(spec.get("leaseTransitions") or 0)
        wanted = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._times.lease),
            "acquireTime": (spec.get("acquireTime") if mine else None) or now,
            "renewTime": now,
            "leaseTransitions": transitions if mine or lease is None else transitions + 1,
        }
        return self._object(lease, wanted)

    def _released(self, lease: Json) -> Json:
        now = _micro_time(self._clock.now())
        wanted = {
            "holderIdentity": "",
            "leaseDurationSeconds": _RELEASED_DURATION,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": int(_spec(lease).get("leaseTransitions") or 0),
        }
        return self._object(lease, wanted)

    def _object(self, lease: Json | None, spec: Json) -> Json:
        if lease is None:
            metadata: Json = {"name": self._name, "namespace": self._namespace}
            return {"apiVersion": _API, "kind": "Lease", "metadata": metadata, "spec": spec}
        return lease | {"spec": _spec(lease) | spec}

    def _pause(self) -> float:
        pause = self._times.retry * (0.6 + 0.3 * self._jitter())
        if self._until is None and self.holder not in ("", self._identity) and self._lease is not None:
            return max(0.0, min(pause, self._seen_at + _duration(self._lease) - _now()))
        return pause

    @property
    def _collection(self) -> str:
        return f"/apis/{_API}/namespaces/{self._namespace}/leases"

    @property
    def _path(self) -> str:
        return f"{self._collection}/{self._name}"


def _spec(lease: Json | None) -> Json:
    return {} if lease is None else lease.get("spec") or {}


def _version(lease: Json) -> Any:
    return lease["metadata"].get("resourceVersion")


def _duration(lease: Json) -> float:
    return float(_spec(lease).get("leaseDurationSeconds") or 0)


def _micro_time(moment: datetime) -> str:
    """Kubernetes' `MicroTime`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _now() -> float:
    return asyncio.get_running_loop().time()
