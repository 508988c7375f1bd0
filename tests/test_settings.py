"""Settings come from the environment, and a slip in it does not go unnoticed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lmos.settings import Settings, UnknownSetting


def test_an_unknown_variable_is_an_error_that_names_the_nearest_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMOS_TURN_DEADLIN", "5")

    with pytest.raises(UnknownSetting, match="did you mean LMOS_TURN_DEADLINE"):
        Settings.load()


@pytest.mark.parametrize(
    "variable",
    ["LMOS_OPERATOR_SERVICE_HOST", "LMOS_SERVICE_PORT", "LMOS_RUNTIME_PORT", "LMOS_RUNTIME_PORT_8080_TCP_ADDR"],
)
def test_what_kubernetes_injects_for_a_service_is_no_setting_and_no_error(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "10.0.0.1")

    Settings.load()


def test_service_hosts_are_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMOS_SERVICE_HOSTS", "billing.default.svc=127.0.0.1:9001, support=127.0.0.1:9002")

    assert Settings.load().service_hosts == {"billing.default.svc": "127.0.0.1:9001", "support": "127.0.0.1:9002"}


def test_a_malformed_service_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMOS_SERVICE_HOSTS", "billing:9001")

    with pytest.raises(ValidationError, match="is not `host=address:port`"):
        Settings.load()


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMOS_PORT", "9000")

    assert Settings.load(port=9001).port == 9001


def test_namespaces_are_a_list_in_which_each_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMOS_NAMESPACES", "team-a, team-b,team-a,")

    assert Settings.load().namespaces == ("team-a", "team-b")


@pytest.mark.parametrize("name", ["*", "Team", "a_b", "-a", "a" * 64])
def test_what_is_no_namespace_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("LMOS_NAMESPACES", f"team-a,{name}")

    with pytest.raises(ValidationError, match="is no namespace"):
        Settings.load()
