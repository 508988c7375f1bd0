"""Sends spans to an OpenTelemetry collector, where the environment names one. Commands that serve call `exporting`.

The variables are OpenTelemetry's own; the SDK reads the rest of them. It is an extra, for most processes export none.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from threading import Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

__all__ = ["CannotExport", "exporting"]

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN: Final = "http/protobuf"
_FLUSH_SECONDS: Final = 3.0


class CannotExport(Exception):
    """The environment asks for an export that this installation cannot do."""


@contextmanager
def exporting(service: str) -> Generator[None]:
    """Export spans as `service` (unless `OTEL_SERVICE_NAME` says otherwise) for the body of the context.

    Does nothing when no endpoint is set, `OTEL_SDK_DISABLED` is true, or somebody has set up an SDK already. At the end
    what is left is sent, for three seconds at most. Raises `CannotExport`.
    """
    provider = _provider(service) if _asked() else None
    try:
        yield
    finally:
        if provider is not None:
            # A thread that nobody has to wait for: a collector that is away must not hold the process up.
            sending = Thread(target=provider.shutdown, name="last spans", daemon=True)
            sending.start()
            sending.join(_FLUSH_SECONDS)


def _asked() -> bool:
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return False
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider

    return isinstance(get_tracer_provider(), ProxyTracerProvider)


def _provider(service: str) -> TracerProvider:
    endpoint = next(name for name in _ENDPOINTS if os.environ.get(name))
    protocol = next((value for name in _PROTOCOLS if (value := os.environ.get(name))), _SPOKEN)
    if protocol != _SPOKEN:
        raise CannotExport(f"spans are sent by {_SPOKEN}, not {protocol!r}; correct or unset {_PROTOCOLS[1]}")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise CannotExport(
            f"{endpoint} is set, but the package that exports spans is not installed; pip install 'lmos[otel]', or "
            f"unset {endpoint}"
        ) from error
    from opentelemetry.trace import set_tracer_provider

    attributes = {SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or service, SERVICE_VERSION: version("lmos")}
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    set_tracer_provider(provider)
    return provider
