"""The tracer of all rooms. Without an OpenTelemetry SDK in the process its spans cost next to nothing."""

from __future__ import annotations

from opentelemetry import trace

__all__ = ["tracer"]

tracer = trace.get_tracer("lmos")
