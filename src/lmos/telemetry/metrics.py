"""Prometheus metrics of a turn; `/metrics` of every LMOS server shows the process's default registry."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from lmos.telemetry import names

__all__ = ["ASK_SECONDS", "ROUTE_SECONDS", "RUNNING_TURNS", "TURNS", "TURN_SECONDS"]

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

TURNS = Counter(names.METRIC_TURNS, "Turns that ended, by outcome or error code", ["tenant", "channel", "outcome"])
TURN_SECONDS = Histogram(names.METRIC_TURN_SECONDS, "Duration of a turn", ["tenant", "channel"], buckets=_SLOW)
ROUTE_SECONDS = Histogram(names.METRIC_ROUTE_SECONDS, "Duration of a routing decision", ["strategy"], buckets=_FAST)
ASK_SECONDS = Histogram(
    names.METRIC_ASK_SECONDS, "Duration of a request to an agent", ["agent", "protocol", "result"], buckets=_SLOW
)
RUNNING_TURNS = Gauge(names.METRIC_RUNNING_TURNS, "Turns in flight")
