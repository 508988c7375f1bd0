"""Spans reach a collector where the environment names one, and only there."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lmos.telemetry.export import CannotExport, exporting
from lmos.testing import LmosProcess, serving

pytestmark = pytest.mark.anyio

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
MANIFEST = """\
apiVersion: lmos.eclipse/v1
kind: Channel
metadata: {name: web, labels: {tenant: acme, channel: web, version: 1.0.0, subset: stable}}
spec: {requiredCapabilities: [{name: bill, version: "*"}]}
"""


@asynccontextmanager
async def collecting() -> AsyncGenerator[tuple[str, list[bytes]]]:
    """A collector's URL, and what it was sent."""
    received: list[bytes] = []

    async def traces(request: Request) -> Response:
        received.append(await request.body())
        return Response(b"", media_type="application/x-protobuf")

    async with serving(Starlette(routes=[Route("/v1/traces", traces, methods=["POST"])])) as url:
        yield url, received


async def test_a_process_sends_its_spans_at_the_latest_when_it_stops(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST)
    async with collecting() as (url, received):
        settings = {ENDPOINT: url, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}

        def live() -> int:
            words = ("up", "-f", "web.yaml", "--port", "0", "--data", "data")
            with LmosProcess(*words, folder=tmp_path, settings=settings) as platform:
                platform.ready()
                return platform.stop()

        assert await anyio.to_thread.run_sync(live) == 0
    sent = b"".join(received)
    for text in (b"lmos.reconcile", b"service.name", b"lmos.object.name", b"success"):
        assert text in sent


async def test_a_collector_that_is_away_does_not_hold_a_process_up(tmp_path: Path) -> None:
    async with collecting() as (url, _):
        pass

    def live() -> int:
        words = ("up", "--port", "0", "--data", "data")
        with LmosProcess(*words, folder=tmp_path, settings={ENDPOINT: url}) as platform:
            platform.ready()
            return platform.stop(8)

    assert await anyio.to_thread.run_sync(live) == 0


def test_without_an_endpoint_nothing_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT, raising=False)
    with exporting("lmos"):
        assert isinstance(get_tracer_provider(), ProxyTracerProvider)


@pytest.mark.parametrize(("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_what_is_switched_off_is_not_set_up(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    with exporting("lmos"):
        assert isinstance(get_tracer_provider(), ProxyTracerProvider)


def test_an_endpoint_without_the_extra_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(CannotExport, match=r"pip install 'lmos\[otel\]', or unset OTEL_EXPORTER_OTLP_ENDPOINT"):
        exporting("lmos").__enter__()


def test_another_protocol_is_an_error_that_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(CannotExport, match="not 'grpc'; correct or unset OTEL_EXPORTER_OTLP_PROTOCOL"):
        exporting("lmos").__enter__()
