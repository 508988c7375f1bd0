"""`lmos operator` and `lmos runtime` that cannot start say why, and what to do. What they do is tested on a cluster."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lmos.testing.processes import run_lmos

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: me, user: {}}]
"""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["operator", "--kubeconfig", "missing"], "kubeconfig: missing cannot be read"),
        (["operator", "--context", "elsewhere", "--kubeconfig", "kubeconfig"], "elsewhere"),
        (["operator", "--namespaces", "Team_A"], "--namespaces='Team_A': Value error, 'Team_A' is no namespace"),
        (["operator", "--metrics-port", "70000"], "--metrics-port=70000"),
        (["runtime", "--operator-url", "operator"], "'operator' is no base URL of an operator"),
    ],
    ids=["no-kubeconfig", "no-context", "no-namespace", "no-port", "no-url"],
)
def test_bad_input_is_one_line_and_exit_code_1(tmp_path: Path, words: list[str], told: str) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    done = run_lmos(*words, folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert told in done.stderr


@pytest.mark.parametrize(("option", "other"), [("--port", "--metrics-port"), ("--metrics-port", "--port")])
def test_a_port_in_use_names_its_option(tmp_path: Path, option: str, other: str) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run_lmos("operator", "--kubeconfig", "kubeconfig", option, port, other, "0", folder=tmp_path)
    assert done.returncode == 1
    assert f"choose another with {option}\n" in done.stderr


def test_spans_that_cannot_be_exported_are_an_error_before_anything_runs(tmp_path: Path) -> None:
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    done = run_lmos("operator", folder=tmp_path, settings=settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert "correct or unset OTEL_EXPORTER_OTLP_PROTOCOL" in done.stderr
