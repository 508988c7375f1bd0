"""The sample agent file of a user, loaded and asked as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmos.agents.engine import Engine
from lmos.agents.loading import load_agents
from lmos.conversation.exchange import Answer, Intermediate, ToolCall
from lmos.encoders.registry import encoder_named
from lmos.models.offline import OfflineModel
from lmos.testing import VirtualClock
from tests.agents.requests import asking

pytestmark = pytest.mark.anyio


async def test_the_sample_answers_offline() -> None:
    (agent,) = load_agents(Path(__file__).parent / "samples")
    model = OfflineModel(encoder_named("static"), clock=VirtualClock())
    async with Engine(model) as engine:
        events = [event async for event in engine.ask(agent, asking("How is the weather in Bonn tomorrow?"))]
    assert [event.arguments for event in events if isinstance(event, ToolCall)] == [
        {"city": "Bonn", "day": "2026-11-26"}
    ]
    assert Intermediate("I look up Bonn for you.") in events
    assert isinstance(events[-1], Answer)
    assert events[-1].message.content == "City: Bonn, day: 26 November 2026, degrees: 20."
