"""Addresses of agents: what is dialled, what a ChannelRouting shows as host, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lmos.resources.agent import Endpoint
from lmos.resources.endpoints import BadEndpoint, check_endpoint, host_of, subscription_url


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://agent:9000", "ws://agent:9000/subscriptions"),
        ("http://agent:9000/", "ws://agent:9000/subscriptions"),
        ("ws://agent:9000", "ws://agent:9000/subscriptions"),
        ("https://agent", "wss://agent/subscriptions"),
        ("wss://agent/arc/subscriptions", "wss://agent/arc/subscriptions"),
        ("https://agent.example/base/", "wss://agent.example/base/"),
        ("http://[::1]:9000", "ws://[::1]:9000/subscriptions"),
        ("HTTP://Agent:9000", "ws://agent:9000/subscriptions"),
        ("billing.default.svc.cluster.local", "ws://billing.default.svc.cluster.local:8080/subscriptions"),
        ("127.0.0.1:9000", "ws://127.0.0.1:9000/subscriptions"),
        ("[::1]", "ws://[::1]:8080/subscriptions"),
        ("[::1]:9000", "ws://[::1]:9000/subscriptions"),
        ("::1", "ws://[::1]:8080/subscriptions"),
    ],
)
def test_subscriptions_are_dialled_at(address: str, url: str) -> None:
    assert subscription_url(address) == url


def test_an_endpoint_is_dialled_at_its_url() -> None:
    assert subscription_url(Endpoint(url="https://agent")) == "wss://agent/subscriptions"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://agent", "agent:80"),
        ("ws://agent/path", "agent:80"),
        ("https://agent", "agent:443"),
        ("wss://agent", "agent:443"),
        ("http://agent:9000", "agent:9000"),
        ("https://[2001:db8::1]", "[2001:db8::1]:443"),
    ],
)
def test_a_host_always_has_its_port(url: str, host: str) -> None:
    assert host_of(Endpoint(url=url)) == host_of(url) == host


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("agent:9000", "no known scheme"),
        ("ftp://agent", "no known scheme"),
        ("http://", "names no host"),
        ("http:///path", "names no host"),
        ("http://user:secret@agent", "credentials"),
        ("http://token@agent", "credentials"),
        ("http://agent/?x=1", "query"),
        ("http://agent/#x", "query"),
        ("http://agent?", "query"),
        ("http://agent:0", "port"),
        ("http://agent:", "port"),
        ("http://agent:99999", "is no url"),
        ("http://agent:http", "is no url"),
        ("http://[::1", "is no url"),
        ("http://agent one", "blank"),
        ("http://agent\n", "blank"),
        ("http:\\\\agent", "blank"),
        ("http://a,b", "names no host"),
    ],
)
def test_a_url_that_cannot_be_dialled_is_bad(url: str, reason: str) -> None:
    with pytest.raises(BadEndpoint, match=reason) as caught:
        check_endpoint(Endpoint(url=url))
    assert caught.value.fix


@pytest.mark.parametrize("host", ["", "agent/path", "user@agent", "agent:http", "agent:0", "::1::", "a b"])
def test_a_host_that_cannot_be_dialled_is_bad(host: str) -> None:
    with pytest.raises(BadEndpoint):
        subscription_url(host)


def test_a_secret_is_not_repeated_in_the_error() -> None:
    with pytest.raises(BadEndpoint) as caught:
        check_endpoint(Endpoint(url="http://user:secret@agent"))
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [{"protocol": "arc"}, {"protocol": "a2a"}, {"protocol": "local", "url": "http://agent"}],
    ids=["arc without url", "a2a without url", "local with url"],
)
def test_only_a_local_agent_has_no_url(fields: dict[str, Any]) -> None:
    with pytest.raises(BadEndpoint):
        check_endpoint(Endpoint(**fields))


@pytest.mark.parametrize(
    "fields",
    [{"url": "http://agent"}, {"protocol": "a2a", "url": "https://agent/a2a"}, {"protocol": "local"}],
    ids=["arc", "a2a", "local"],
)
def test_an_endpoint_that_can_be_reached_passes(fields: dict[str, Any]) -> None:
    check_endpoint(Endpoint(**fields))


@pytest.mark.parametrize("protocol", ["a2a", "local"])
def test_only_arc_has_subscriptions(protocol: Any) -> None:
    with pytest.raises(BadEndpoint, match="only 'arc'"):
        subscription_url(Endpoint(url="http://agent", protocol=protocol))


def test_a_local_agent_has_no_host_of_its_own() -> None:
    with pytest.raises(BadEndpoint):
        host_of(Endpoint(protocol="local"))
