"""Probes: ours, and the paths and words that charts of the JVM parts expect."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from lmos.server.health import actuator_routes, health_routes


def client(*, waits_for: tuple[str, ...] = (), stuck: tuple[str, ...] = ()) -> TestClient:
    routes = [
        *health_routes(lambda: waits_for, stuck=lambda: stuck),
        *actuator_routes(lambda: waits_for, stuck=lambda: stuck),
    ]
    return TestClient(Starlette(routes=routes))


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/health/liveness", "/health/readiness"])
def test_all_is_well(path: str) -> None:
    assert client().get(path).status_code == 200


def test_what_waits_is_alive_and_says_what_for() -> None:
    waiting = client(waits_for=("the Lease",))
    assert (waiting.get("/livez").status_code, waiting.get("/health/liveness").status_code) == (200, 200)
    assert waiting.get("/readyz").json() == {"ready": False, "waitingFor": ["the Lease"]}
    answers = [waiting.get(path) for path in ("/readyz", "/health/readiness", "/health")]
    assert [answer.status_code for answer in answers] == [503] * 3
    assert [answer.json().get("status") for answer in answers] == [None, "OUT_OF_SERVICE", "DOWN"]


def test_what_is_stuck_is_not_alive_and_says_why() -> None:
    frozen = client(stuck=("the watch of Agent objects has not moved for 301 s",))
    assert frozen.get("/livez").status_code == 503
    assert "has not moved" in frozen.get("/livez").text
    assert frozen.get("/health/liveness").json()["status"] == "DOWN"
    assert frozen.get("/health").status_code == 503


@pytest.mark.parametrize("path", ["/metrics", "/prometheus"])
def test_metrics_are_in_prometheus_format(path: str) -> None:
    answer = client().get(path)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE python_info gauge" in answer.text


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/health"])
def test_probes_answer_head(path: str) -> None:
    assert client().head(path).status_code == 200
