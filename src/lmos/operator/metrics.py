"""Prometheus metrics of the reconcile loop, in the process's default registry.

Names and labels follow controller-runtime and client-go, so that dashboards made for Go operators fit. They are API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

__all__ = [
    "ACTIVE_WORKERS",
    "ADMISSION_REVIEWS",
    "CACHE_LAST_EVENT_SECONDS",
    "CACHE_OBJECTS",
    "CHANNEL_RESOLVED",
    "CLIENT_REQUESTS",
    "CLIENT_SECONDS",
    "DISCOVERY_FETCHES",
    "EVENTS",
    "EVENT_AGGREGATED",
    "EVENT_DROPPED",
    "EVENT_FAILED",
    "EVENT_WRITTEN",
    "LEADING",
    "MAX_CONCURRENT_RECONCILES",
    "QUEUE_ADDS",
    "QUEUE_DEPTH",
    "QUEUE_LONGEST_SECONDS",
    "QUEUE_RETRIES",
    "QUEUE_SECONDS",
    "QUEUE_UNFINISHED_SECONDS",
    "QUEUE_WORK_SECONDS",
    "RECONCILES",
    "RECONCILE_ERRORS",
    "RECONCILE_PANICS",
    "RECONCILE_SECONDS",
    "RECONCILE_TIMEOUTS",
    "RESULT_ALLOWED",
    "RESULT_DENIED",
    "RESULT_ERROR",
    "RESULT_FAILED",
    "RESULT_REQUEUE",
    "RESULT_REQUEUE_AFTER",
    "RESULT_SUCCESS",
    "RESULT_WARNED",
    "TERMINAL_RECONCILE_ERRORS",
    "UNREADABLE",
    "WATCH_ENDED",
    "WATCH_EXPIRED",
    "WATCH_FAULT",
    "WATCH_RESTARTS",
    "WATCH_SILENT",
]

RESULT_SUCCESS: Final = "success"
RESULT_ERROR: Final = "error"
RESULT_REQUEUE: Final = "requeue"
RESULT_REQUEUE_AFTER: Final = "requeue_after"

RESULT_ALLOWED: Final = "allowed"
RESULT_WARNED: Final = "warned"
RESULT_DENIED: Final = "denied"
RESULT_FAILED: Final = "failed"

WATCH_EXPIRED: Final = "expired"
WATCH_FAULT: Final = "fault"
WATCH_ENDED: Final = "ended"
WATCH_SILENT: Final = "silent"

# controller-runtime's buckets without those beyond a minute: a reconcile here is one read of a cache and two writes.
_RECONCILE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_CLIENT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_QUEUE = (0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)

RECONCILES = Counter("lmos_operator_reconcile_total", "Reconciles, by result", ["controller", "result"])
RECONCILE_ERRORS = Counter("lmos_operator_reconcile_errors_total", "Reconciles that failed", ["controller"])
TERMINAL_RECONCILE_ERRORS = Counter(
    "lmos_operator_terminal_reconcile_errors_total", "Reconciles that failed and are not retried", ["controller"]
)
RECONCILE_PANICS = Counter(
    "lmos_operator_reconcile_panics_total", "Reconciles that failed with an unforeseen exception", ["controller"]
)
RECONCILE_TIMEOUTS = Counter(
    "lmos_operator_reconcile_timeouts_total",
    "Reconciles that were cancelled because they took too long",
    ["controller"],
)
RECONCILE_SECONDS = Histogram(
    "lmos_operator_reconcile_time_seconds", "Duration of a reconcile", ["controller"], buckets=_RECONCILE
)
MAX_CONCURRENT_RECONCILES = Gauge(
    "lmos_operator_max_concurrent_reconciles", "Workers that a controller may use", ["controller"]
)
ACTIVE_WORKERS = Gauge("lmos_operator_active_workers", "Workers that are reconciling", ["controller"])

QUEUE_DEPTH = Gauge("workqueue_depth", "Keys that wait for a worker", ["name"])
QUEUE_ADDS = Counter("workqueue_adds_total", "Keys put into the queue", ["name"])
QUEUE_RETRIES = Counter("workqueue_retries_total", "Keys put back after a failure", ["name"])
QUEUE_SECONDS = Histogram("workqueue_queue_duration_seconds", "Time that a key waits", ["name"], buckets=_QUEUE)
QUEUE_WORK_SECONDS = Histogram(
    "workqueue_work_duration_seconds", "Time that a key is worked on", ["name"], buckets=_QUEUE
)
QUEUE_UNFINISHED_SECONDS = Gauge(
    "workqueue_unfinished_work_seconds",
    "Time that the keys now worked on have taken so far; when it grows steadily, workers are stuck",
    ["name"],
)
QUEUE_LONGEST_SECONDS = Gauge(
    "workqueue_longest_running_processor_seconds", "Time that the key longest worked on has taken so far", ["name"]
)

WATCH_RESTARTS = Counter("lmos_watch_restarts_total", "Watches begun again, by reason", ["kind", "reason"])
CACHE_OBJECTS = Gauge("lmos_cache_objects", "Objects that the operator knows", ["kind"])
CACHE_LAST_EVENT_SECONDS = Gauge(
    "lmos_cache_last_event_seconds", "Time since a watch told anything, news or that there are none", ["kind"]
)


class Computed(Collector):
    """A gauge with labels that `source` tells anew each time it is read: (label values, number) pairs.

    For what changes with objects that come and go: nothing has to be taken back.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self.name = name
        self.labels = tuple(labels)
        self.source: Callable[[], Iterable[tuple[Sequence[str], float]]] = tuple
        self._text = text

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [GaugeMetricFamily(self.name, self._text, labels=self.labels)]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(self.name, self._text, labels=self.labels)
        for values, number in self.source():
            family.add_metric(values, number)
        return [family]


CHANNEL_RESOLVED = Computed(
    "lmos_channel_resolved",
    "1 if all that the Channel requires is provided, else 0; of at most 1,000 Channels, unresolved ones first",
    ["namespace", "name", "tenant", "channel", "subset"],
)
REGISTRY.register(CHANNEL_RESOLVED)

LEADING = Gauge("leader_election_master_status", "1 while this process leads, else 0", ["name"])

ADMISSION_REVIEWS = Counter("lmos_admission_reviews_total", "Changes judged by the webhook", ["kind", "result"])

CLIENT_REQUESTS = Counter("rest_client_requests_total", "Requests to the API server", ["code", "method"])
CLIENT_SECONDS = Histogram(
    "rest_client_request_duration_seconds", "Time until the API server's answer is there", ["verb"], buckets=_CLIENT
)
UNREADABLE = Counter("lmos_unreadable_objects_total", "Reads of an object that does not fit its model", ["kind"])

DISCOVERY_FETCHES = Counter(
    "lmos_operator_discovery_fetches_total", "Questions to agents what they can do, by reason of failure", ["result"]
)

EVENTS = Counter("lmos_operator_events_total", "Events to tell, by what became of them", ["result"])
EVENT_WRITTEN: Final = "written"
EVENT_AGGREGATED: Final = "aggregated"
EVENT_DROPPED: Final = "dropped"
EVENT_FAILED: Final = "failed"
