"""`KubernetesRecorder`: events in the API server, where `kubectl describe` and `kubectl events` show them.

Reconcilers record, and go on at once: what they tell waits in a bounded queue, equal news of ten minutes becomes one
event with a count, and a token bucket keeps a storm of news from being one of requests. What is too much is dropped and
counted; nothing that depends on events could be trusted anyway.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from lmos.clock import Clock
from lmos.operator import metrics, reasons
from lmos.operator.base import NotFound, StoreError
from lmos.operator.kubernetes.client import Client, Json
from lmos.operator.recorder import EventType
from lmos.resources.base import Resource
from lmos.telemetry.logs import logger

__all__ = ["CAPACITY", "SERIES_SECONDS", "KubernetesRecorder"]

CAPACITY: Final = 1000
"""Events that wait, and series that are remembered."""
SERIES_SECONDS: Final = 600.0
"""Equal news that follows within this time is counted in the event that is there."""

_BURST: Final = 50.0
_PER_SECOND: Final = 5.0
_FLUSH_SECONDS: Final = 2.0
_MAX_NOTE: Final = 1024
_MAX_NAME: Final = 200
_CONTROLLER: Final = "lmos.eclipse/operator"

_Key = tuple[str, str, str, str, str, str]


@dataclass(slots=True)
class _Series:
    """One piece of news, told once or again and again. `name` is that of its event, once there is one."""

    regarding: Json
    event_type: EventType
    reason: str
    action: str
    note: str
    first: datetime
    last: datetime
    seen: float
    count: int = 1
    name: str | None = None
    waits: bool = True


class KubernetesRecorder:
    """A `Recorder`; use it as `async with`, around whatever records. `identity` is the name of this process.

    Events are written in the order in which they came, five a second after a burst of fifty.
    """

    def __init__(self, client: Client, clock: Clock, *, identity: str, capacity: int = CAPACITY) -> None:
        self._client = client
        self._clock = clock
        self._identity = identity[:128]
        self._capacity = capacity
        self._series: OrderedDict[_Key, _Series] = OrderedDict()
        self._queue: deque[_Key] = deque()
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = asyncio.Event()
        self._tokens, self._counted = _BURST, 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._counted = _now()
        self._task = asyncio.create_task(self._run(), name="events")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what waits, without regard to the rate, but for two seconds at most."""
        self._closing.set()
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            metrics.EVENTS.labels(metrics.EVENT_DROPPED).inc(len(self._queue))
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def record(self, about: Resource, event_type: EventType, reason: str, action: str, message: str) -> None:
        """Have it told; returns at once."""
        note, now = _fitting(message), _now()
        meta = about.metadata
        key = (about.KIND, meta.namespace, meta.uid or meta.name, event_type, reason, note)
        known = self._series.get(key)
        if known is not None and now - known.seen < SERIES_SECONDS:
            known.count, known.last, known.seen = known.count + 1, self._clock.now(), now
            self._series.move_to_end(key)
            if known.waits:
                metrics.EVENTS.labels(metrics.EVENT_AGGREGATED).inc()
                return
            known.waits = True
        else:
            self._make_room(now)
            if len(self._series) >= self._capacity:
                metrics.EVENTS.labels(metrics.EVENT_DROPPED).inc()
                return
            at = self._clock.now()
            self._series[key] = _Series(_reference(about), event_type, reason, action, note, at, at, now)
        self._queue.append(key)
        self._idle.clear()
        self._news.set()

    def _make_room(self, now: float) -> None:
        """Forget series that are over, and, where there are too many, the oldest that does not wait."""
        while self._series:
            oldest = next(iter(self._series.values()))
            if oldest.waits or (len(self._series) < self._capacity and now - oldest.seen < SERIES_SECONDS):
                break
            self._series.popitem(last=False)

    async def _run(self) -> None:
        while True:
            while not self._queue:
                self._idle.set()
                self._news.clear()
                await self._news.wait()
            await self._take_token()
            series = self._series[self._queue.popleft()]
            series.waits = False
            try:
                await self._write(series)
                metrics.EVENTS.labels(metrics.EVENT_WRITTEN).inc()
            except StoreError as fault:
                metrics.EVENTS.labels(metrics.EVENT_FAILED).inc()
                logger("operator").warning(
                    reasons.EVENT_NOT_TOLD, object=series.regarding["name"], reason=series.reason, error=str(fault)
                )

    async def _take_token(self) -> None:
        """Wait until another request is in order; closing ends the wait."""
        now = _now()
        self._tokens = min(_BURST, self._tokens + (now - self._counted) * _PER_SECOND)
        self._counted = now
        if self._tokens < 1 and not self._closing.is_set():
            try:
                async with asyncio.timeout((1 - self._tokens) / _PER_SECOND):
                    await self._closing.wait()
            except TimeoutError:
                self._tokens, self._counted = 1.0, _now()
        self._tokens -= 1

    async def _write(self, series: _Series) -> None:
        """Create the event, or count in it once more."""
        path = f"/apis/events.k8s.io/v1/namespaces/{series.regarding['namespace']}/events"
        if series.name is not None:
            patch: Json = {"series": _counted(series)}
            try:
                await self._client.merge(f"{path}/{series.name}", patch, field_manager=reasons.FIELD_MANAGER)
                return
            except NotFound:
                pass  # events live for an hour
        name = f"{series.regarding['name'][:_MAX_NAME].rstrip('-.')}.{self._clock.new_id().replace('-', '')[-16:]}"
        await self._client.create(path, self._event(series, name))
        series.name = name

    def _event(self, series: _Series, name: str) -> Json:
        event: Json = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": series.regarding["namespace"]},
            "eventTime": _micro(series.first),
            "reportingController": _CONTROLLER,
            "reportingInstance": self._identity,
            "type": series.event_type,
            "reason": series.reason,
            "action": series.action,
            "note": series.note,
            "regarding": series.regarding,
        }
        if series.count > 1:
            event["series"] = _counted(series)
        return event


def _reference(about: Resource) -> Json:
    meta = about.metadata
    return {
        "apiVersion": about.api_version,
        "kind": about.KIND,
        "namespace": meta.namespace,
        "name": meta.name,
        "uid": meta.uid,
        "resourceVersion": meta.resource_version,
    }


def _counted(series: _Series) -> Json:
    return {"count": series.count, "lastObservedTime": _micro(series.last)}


def _fitting(message: str) -> str:
    """What of the message fits into a note, which is measured in bytes."""
    data = message.encode()
    return message if len(data) <= _MAX_NOTE else data[: _MAX_NOTE - 3].decode(errors="ignore") + "…"


def _micro(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _now() -> float:
    return asyncio.get_running_loop().time()
