"""Prometheus metrics of the reconcile loop, in the process's default registry.

Names and labels follow controller-runtime and client-go, so that dashboards made for Go operators fit. They are API.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "ACTIVE_WORKERS",
    "CACHE_OBJECTS",
    "MAX_CONCURRENT_RECONCILES",
    "QUEUE_ADDS",
    "QUEUE_DEPTH",
    "QUEUE_RETRIES",
    "QUEUE_SECONDS",
    "RECONCILES",
    "RECONCILE_ERRORS",
    "RECONCILE_PANICS",
    "RECONCILE_SECONDS",
    "RESULT_ERROR",
    "RESULT_REQUEUE",
    "RESULT_REQUEUE_AFTER",
    "RESULT_SUCCESS",
    "TERMINAL_RECONCILE_ERRORS",
    "WATCH_RESTARTS",
]

RESULT_SUCCESS: Final = "success"
RESULT_ERROR: Final = "error"
RESULT_REQUEUE: Final = "requeue"
RESULT_REQUEUE_AFTER: Final = "requeue_after"

# controller-runtime's buckets without those beyond a minute: a reconcile here is one read of a cache and two writes.
_RECONCILE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_QUEUE = (0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)

RECONCILES = Counter("lmos_operator_reconcile_total", "Reconciles, by result", ["controller", "result"])
RECONCILE_ERRORS = Counter("lmos_operator_reconcile_errors_total", "Reconciles that failed", ["controller"])
TERMINAL_RECONCILE_ERRORS = Counter(
    "lmos_operator_terminal_reconcile_errors_total", "Reconciles that failed and are not retried", ["controller"]
)
RECONCILE_PANICS = Counter(
    "lmos_operator_reconcile_panics_total", "Reconciles that failed with an unforeseen exception", ["controller"]
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

WATCH_RESTARTS = Counter("lmos_watch_restarts_total", "Watches begun again, by reason", ["kind", "reason"])
CACHE_OBJECTS = Gauge("lmos_cache_objects", "Objects that the operator knows", ["kind"])
