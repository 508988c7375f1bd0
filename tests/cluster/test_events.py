"""Events as a real API server takes them, and as kubectl shows them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lmos.clock import SystemClock
from lmos.operator import reasons
from lmos.operator.kubernetes.connect import connect
from lmos.operator.kubernetes.events import KubernetesRecorder
from lmos.operator.kubernetes.store import KubernetesStore
from lmos.resources.agent import Agent
from lmos.resources.base import ObjectMeta, Resource
from tests.cluster.plugin import Kubectl
from tools.testcluster import Access

pytestmark = pytest.mark.anyio

LONG = "a" * 240


async def recorded(api_server: Access, agent: Agent, *messages: str) -> None:
    """Store the agent, and record the messages about it, with a pause between them."""
    async with connect(kubeconfig=str(api_server.kubeconfig())) as client:
        stored: Resource = await KubernetesStore(client).apply(agent, field_manager="test")
        async with KubernetesRecorder(client, SystemClock(), identity="operator-0") as recorder:
            for message in messages:
                recorder.record(stored, "Warning", reasons.UNREACHABLE, reasons.ACTION_DISCOVER, message)
                await asyncio.sleep(0.2)


async def test_equal_news_is_one_event_that_counts(api_server: Access, namespace: str, kubectl: Kubectl) -> None:
    agent = Agent(metadata=ObjectMeta(name="billing", namespace=namespace))
    await recorded(api_server, agent, "no answer", "no answer", "no answer", "another")
    found: list[dict[str, Any]] = json.loads(kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
    assert sorted((event["note"], event.get("series", {}).get("count", 1)) for event in found) == [
        ("another", 1),
        ("no answer", 3),
    ]
    assert "Unreachable" in kubectl("describe", "agent", "billing")
    assert "(x3 over" in kubectl("events", "--for", "agents.lmos.eclipse/billing")


@pytest.mark.parametrize("letter", ["x", "語"])
async def test_what_is_long_fits(api_server: Access, namespace: str, kubectl: Kubectl, letter: str) -> None:
    await recorded(api_server, Agent(metadata=ObjectMeta(name=LONG, namespace=namespace)), letter * 3000)
    (event,) = json.loads(kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
    assert event["note"].endswith("…")
    assert event["regarding"]["name"] == LONG
