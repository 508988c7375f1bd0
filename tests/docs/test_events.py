"""`reference/events.md` names every event with every member, and no other."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel

from lmos.conversation import events
from lmos.conversation.messages import Message
from tests.docs.pages import rows, spans_in, text_of

_PAGE = text_of("reference/events.md")
_UNION, _ = get_args(events.TurnEvent)
_MODELS: dict[str, type[BaseModel]] = {model.__name__: model for model in (*get_args(_UNION), Message)}


def _members(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _common() -> set[str]:
    return set[str].intersection(*(_members(model) for model in get_args(_UNION)))


def test_the_page_has_a_section_for_every_event_and_no_other() -> None:
    assert [line.removeprefix("## ") for line in _PAGE.splitlines() if line.startswith("## ")] == list(_MODELS)


@pytest.mark.parametrize("name", _MODELS)
def test_a_section_names_every_member_and_no_other(name: str) -> None:
    section = _PAGE.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    expected = _members(_MODELS[name]) - (_common() if name != "Message" else set())
    assert {cells[0].strip("`") for cells in rows(section)} == expected


def test_the_members_of_all_events_are_named_first() -> None:
    assert {cells[0].strip("`") for cells in rows(_PAGE.split("\n## ", 1)[0])} == _common()


@pytest.mark.parametrize(
    ("event", "member"),
    [("RouteDecided", "outcome"), ("TurnCompleted", "outcome")],
    ids=str,
)
def test_every_word_that_a_member_may_hold_is_named(event: str, member: str) -> None:
    (meaning,) = (
        cells[2] for cells in rows(_PAGE.split(f"\n## {event}\n", 1)[1].split("\n## ", 1)[0]) if member in cells[0]
    )
    words: Any = _MODELS[event].model_fields[member].annotation
    assert set(spans_in(meaning)) == set(get_args(words))
