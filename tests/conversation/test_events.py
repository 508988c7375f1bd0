"""Events as JSON: what the turn log keeps and every surface shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from lmos.conversation.events import RouteDecided, TextDelta, event_adapter


def test_an_event_comes_back_from_its_json_as_it_was() -> None:
    event = RouteDecided(
        seq=1,
        at=datetime(2026, 11, 25, 9, 0, tzinfo=UTC),
        outcome="match",
        agents=("billing",),
        confidence=0.9,
        strategy="vector",
        reason="similar to 'Zahl' ich zu viel?'",
        channel_routing="default/acme-web",
    )
    text = event_adapter.dump_json(event, by_alias=True)
    assert event_adapter.validate_json(text) == event


def test_members_of_a_later_version_are_ignored() -> None:
    event: dict[str, Any] = {"type": "TextDelta", "seq": 3, "agent": "a", "text": "Hi", "mood": "good"}
    assert event_adapter.validate_python(event) == TextDelta(seq=3, agent="a", text="Hi")


def test_an_unknown_type_of_event_is_refused() -> None:
    with pytest.raises(ValidationError, match="TurnPaused"):
        event_adapter.validate_python({"type": "TurnPaused"})
