"""Arguments from a text, by the types that a tool's signature gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from lmos.agents.tools import Tool
from lmos.models.offline.filling import fill, missing
from lmos.models.offline.parameters import Parameter, read_parameters

TODAY = date(2026, 11, 25)


class Size(Enum):
    SMALL = "small"
    EXTRA_LARGE = "extra-large"


def month(month: str) -> None: ...
def month_number(month: int | None = None) -> None: ...
def month_pattern(period: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$", description="Month")]) -> None: ...
def day(due: date) -> None: ...
def moment(at: datetime) -> None: ...
def ticket(ticket_id: str) -> None: ...
def pattern(code: Annotated[str, Field(pattern=r"^AB\d+$")]) -> None: ...
def number(number: int) -> None: ...
def bounded(count: Annotated[int, Field(ge=1, le=12)]) -> None: ...
def year(year: int) -> None: ...
def size(size: Size) -> None: ...
def plan(plan: Literal["Mobile S", "Mobile L"]) -> None: ...
def flag(paperless: bool) -> None: ...
def mail(email: str) -> None: ...
def uuid(order: UUID) -> None: ...
def problem(problem: str) -> None: ...
def city(city: str) -> None: ...
def tags(ids: list[str]) -> None: ...
def transfer(amount: float, iban: str) -> None: ...
def two(ticket_id: str, priority: int) -> None: ...
def trip(start: date, city: str) -> None: ...


def parameters(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    return read_parameters(Tool(function).parameters)


@pytest.mark.parametrize(
    ("function", "text", "expected"),
    [
        (month, "my bill for October", {"month": "2026-10"}),
        (month_number, "and in May?", {"month": 5}),
        (month_pattern, "the one of last month", {"period": "2026-10"}),
        (day, "until 24 December 2026", {"due": "2026-12-24"}),
        (day, "until December", {}),
        (moment, "tomorrow", {"at": "2026-11-26T00:00:00Z"}),
        (ticket, "what about ticket T-1001?", {"ticket_id": "T-1001"}),
        (ticket, "what about my ticket of October 2026?", {}),
        (pattern, "it says ab12 on it", {"code": "AB12"}),
        (number, "ticket number 1005, since 3 days", {"number": 1005}),
        (bounded, "13 or 12", {"count": 12}),
        (year, "my invoices of 2025", {"year": 2025}),
        (size, "an extra large one", {"size": "extra-large"}),
        (plan, "switch me to mobile l please", {"plan": "Mobile L"}),
        (plan, "switch me to something", {}),
        (flag, "make it paperless", {"paperless": True}),
        (flag, "not paperless please", {"paperless": False}),
        (mail, "it is ada@example.org", {"email": "ada@example.org"}),
        (uuid, "order 123e4567-e89b-12d3-a456-426614174000", {"order": "123e4567-e89b-12d3-a456-426614174000"}),
        (problem, "My router blinks red", {"problem": "My router blinks red"}),
        (city, "is it raining in New York today?", {"city": "New York"}),
        (city, "city: bonn", {"city": "bonn"}),
        (tags, "T-1 and T-2", {"ids": ["T-1", "T-2"]}),
        (transfer, "pay 25,50 to DE02120300000000202051", {"amount": 25.5, "iban": "DE02120300000000202051"}),
        (two, "set ticket 1001 to priority 2", {"priority": 2, "ticket_id": "1001"}),
        (trip, "from Bonn on 5 October 2026", {"start": "2026-10-05", "city": "Bonn"}),
    ],
)
def test_arguments_are_found_by_type(function: Callable[..., Any], text: str, expected: dict[str, Any]) -> None:
    assert fill(parameters(function), text, TODAY) == expected


@pytest.mark.parametrize(
    ("function", "text", "expected"),
    [
        (flag, "yes please", {"paperless": True}),
        (flag, "nein", {"paperless": False}),
        (city, "it's Bonn.", {"city": "Bonn"}),
        (city, "bonn", {"city": "bonn"}),
        (problem, "my internet is slow", {"problem": "my internet is slow"}),
        (ticket, "ABC", {"ticket_id": "ABC"}),
        (ticket, "I do not know", {}),
        (number, "twenty five", {"number": 25}),
        (month_number, "the 10", {"month": 10}),
    ],
)
def test_an_answer_to_a_question_is_read_more_freely(
    function: Callable[..., Any], text: str, expected: dict[str, Any]
) -> None:
    found = parameters(function)
    assert fill(found, text, TODAY, asked=found[0]) == expected


def test_a_text_that_only_names_the_tool_is_not_the_text_it_wants() -> None:
    topic = frozenset({"open", "ticket"})
    assert fill(parameters(problem), "please open a ticket", TODAY, topic=topic) == {}


def test_what_is_missing_is_the_first_required_parameter_without_a_value() -> None:
    found = parameters(transfer)
    assert missing(found, {"amount": 1.0}) == found[1]
    assert missing(found, {"amount": 1.0, "iban": "x"}) is None


@given(st.integers(0, 10**9))
def test_a_filled_integer_is_one_that_the_tool_accepts(value: int) -> None:
    values = fill(parameters(number), f"number {value}", TODAY)
    assert values == {"number": value}


@given(st.text(), st.sampled_from([month, day, ticket, number, size, flag, mail, problem, city, tags, transfer, trip]))
def test_any_text_fills_only_known_parameters(text: str, function: Callable[..., Any]) -> None:
    found = parameters(function)
    assert set(fill(found, text, TODAY)) <= {parameter.name for parameter in found}


json_types = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null", 7, None])
schemas = st.recursive(
    st.fixed_dictionaries({"type": json_types}),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries({"$ref": st.just("#/$defs/x")}),
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.text(min_size=1), schemas, max_size=4), st.text())
def test_any_schema_of_any_depth_is_read(properties: dict[str, Any], text: str) -> None:
    found = read_parameters({"type": "object", "properties": properties, "$defs": {"x": {"$ref": "#/$defs/x"}}})
    assert {parameter.name for parameter in found} == set(properties)
    fill(found, text, TODAY)
