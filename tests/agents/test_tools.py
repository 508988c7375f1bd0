"""Tools: from signature and docstring to schema, validation and calls."""

from __future__ import annotations

import functools
import threading
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from lmos import Tool, Turn, tool
from lmos.agents.errors import DefinitionError, ToolError
from lmos.agents.signature import read_signature
from lmos.conversation.exchange import AgentRequest
from lmos.conversation.messages import Message, User

pytestmark = pytest.mark.anyio

REQUEST = AgentRequest("c", (Message(role="user", content="Hi"),), User(id="ada"))


class Unfit:
    """A type that no JSON becomes."""


class Colour(Enum):
    RED = "red"


class Address(BaseModel):
    city: str
    street: str = ""


@dataclass
class Point:
    x: int
    y: int


def everything(
    turn: Turn,
    plan: Literal["S", "L"],
    schema: int,
    when: date,
    colour: Colour,
    home: Address,
    points: list[Point],
    note: Annotated[str, Field(description="As annotated", max_length=5)] = "-",
    limit: int | None = None,
) -> dict[str, Any]:
    """Take one of each.

    More about it.

    Args:
        plan: The plan,
            on two lines.
        schema: A number whose name pydantic uses itself.
        note: As documented.
        turn: Never shown.
    """
    return {
        "user": turn.user_id,
        "plan": plan,
        "schema": schema,
        "when": when,
        "colour": colour,
        "city": home.city,
        "points": points,
        "note": note,
        "limit": limit,
    }


def test_the_description_is_the_docstring_without_its_arguments() -> None:
    assert Tool(everything).description == "Take one of each.\n\nMore about it."


def test_the_schema_has_a_property_for_each_parameter_but_the_turn() -> None:
    parameters = Tool(everything).parameters
    assert list(parameters["properties"]) == ["plan", "schema", "when", "colour", "home", "points", "note", "limit"]
    assert parameters["required"] == ["plan", "schema", "when", "colour", "home", "points"]
    assert parameters["properties"]["plan"] == {
        "description": "The plan, on two lines.",
        "enum": ["S", "L"],
        "type": "string",
    }


def test_an_annotated_description_wins_over_the_docstring() -> None:
    assert Tool(everything).parameters["properties"]["note"]["description"] == "As annotated"


def test_a_tool_without_a_docstring_is_described_by_its_name() -> None:
    def open_ticket() -> None: ...

    assert Tool(open_ticket).description == "open ticket"


async def test_arguments_reach_the_function_in_its_types_and_the_result_is_json() -> None:
    given = {
        "plan": "S",
        "schema": 3,
        "when": "2026-10-05",
        "colour": "red",
        "home": {"city": "Bonn"},
        "points": [{"x": 1, "y": 2}],
    }
    result = await Tool(everything).call(given, Turn(REQUEST))
    assert result == (
        '{"user":"ada","plan":"S","schema":3,"when":"2026-10-05","colour":"red","city":"Bonn",'
        '"points":[{"x":1,"y":2}],"note":"-","limit":null}'
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "plan: Field required"),
        ({"plan": "XL"}, "plan: Input should be 'S' or 'L'"),
        ({"nonsense": 1}, "nonsense: Extra inputs are not permitted"),
        ({"points": [{"x": "no"}]}, r"points\.0\.x: Input should be a valid integer"),
        ({"note": "far too long"}, "note: String should have at most 5 characters"),
    ],
)
async def test_bad_arguments_are_told_by_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ToolError, match="invalid arguments: .*" + message):
        await Tool(everything).call(given, Turn(REQUEST))


async def test_a_synchronous_tool_runs_in_another_thread() -> None:
    def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert await Tool(where).call({}, Turn(REQUEST)) == "false"


async def test_a_synchronous_tool_sees_its_callers_context() -> None:
    trace = ContextVar("trace", default="none")

    def traced() -> str:
        return trace.get()

    trace.set("turn-1")
    assert await Tool(traced).call({}, Turn(REQUEST)) == "turn-1"


async def test_an_asynchronous_tool_is_awaited() -> None:
    async def hello(turn: Turn) -> str:
        return f"Hello {turn.user_id}"

    assert await Tool(hello).call({}, Turn(REQUEST)) == "Hello ada"


async def test_an_exception_becomes_an_error_with_its_type() -> None:
    def broken() -> None:
        raise LookupError("no such bill")

    with pytest.raises(ToolError, match=r"^LookupError: no such bill$"):
        await Tool(broken).call({}, Turn(REQUEST))


async def test_a_tool_error_keeps_the_authors_words() -> None:
    def broken() -> None:
        raise ToolError("You have no bills yet.")

    with pytest.raises(ToolError, match=r"^You have no bills yet.$"):
        await Tool(broken).call({}, Turn(REQUEST))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (None, "null"),
        (Decimal("1.50"), '"1.50"'),
        ([1, 2], "[1,2]"),
        (Address(city="Bonn"), '{"city":"Bonn","street":""}'),
    ],
    ids=["text", "none", "decimal", "list", "model"],
)
async def test_a_result_is_text_or_json(value: Any, text: str) -> None:
    def give() -> Any:
        return value

    assert await Tool(give).call({}, Turn(REQUEST)) == text


async def test_a_result_without_json_form_is_an_error_that_says_what_to_return() -> None:
    def give() -> object:
        return object()

    with pytest.raises(ToolError, match="returned object, which has no JSON form"):
        await Tool(give).call({}, Turn(REQUEST))


def anything(*args: int) -> None: ...
def options(**kwargs: int) -> None: ...
def positional(a: int, /) -> None: ...
def untyped(a) -> None: ...  # type: ignore[no-untyped-def] # pyright: ignore
def forward(a: Unheard) -> None: ...  # type: ignore[name-defined] # noqa: F821 # pyright: ignore
def unfit(a: Unfit) -> None: ...


async def generator() -> AsyncIterator[int]:
    yield 1


REFUSED: list[tuple[Any, str]] = [
    (anything, "cannot be given by name"),
    (options, "cannot be given by name"),
    (positional, "cannot be given by name"),
    (cast("Any", untyped), "parameter 'a' has no type; annotate it, e.g. 'a: str'"),
    (cast("Any", forward), "import their types at the module's top level"),
    (unfit, "a parameter's type cannot be given by a model"),
    (generator, "is a generator"),
    (lambda: 1, r"tool name '<lambda>' must be .* set it with @tool\(name=...\)"),
    (7, "tool 7 is not callable"),
]


@pytest.mark.parametrize(
    ("function", "message"),
    REFUSED,
    ids=["args", "kwargs", "positional", "untyped", "forward", "unfit", "generator", "lambda", "number"],
)
def test_a_function_that_no_model_can_call_is_refused(function: Any, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        Tool(function)


def test_examples_must_be_a_list() -> None:
    with pytest.raises(DefinitionError, match="is one text; write a list"):
        tool(examples="How much?")(everything)


def test_a_decorated_function_is_called_as_before() -> None:
    @tool(name="double-it", description="Doubles", examples=["Double 2"])
    def double(n: int) -> int:
        return 2 * n

    assert double(n=3) == 6
    assert (double.spec.name, double.spec.description, double.spec.examples) == ("double-it", "Doubles", ("Double 2",))


async def test_methods_partials_and_callable_objects_are_tools_too() -> None:
    class Shop:
        def price(self, item: str) -> str:
            return f"{item}: 5"

        async def __call__(self, item: str) -> str:
            return f"{item}: 6"

    shop = Shop()
    tools = [Tool(shop.price), Tool(functools.partial(shop.price), name="partial"), Tool(shop, name="shop")]
    assert [await t.call({"item": "tea"}, Turn(REQUEST)) for t in tools] == ["tea: 5", "tea: 5", "tea: 6"]


TYPES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers(-(2**53), 2**53)),
    (str, st.text()),
    (bool, st.booleans()),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (list[int], st.lists(st.integers(-(2**53), 2**53))),
    (dict[str, str], st.dictionaries(st.text(), st.text())),
    (Literal["a", "b"], st.sampled_from(["a", "b"])),
    (int | None, st.none() | st.integers(-(2**53), 2**53)),
]


def made(kinds: list[Any]) -> Callable[..., Any]:
    """A function with one parameter of each kind, that gives its arguments back."""

    def echo(**values: Any) -> Any:
        return values

    names = [f"p{position}" for position in range(len(kinds))]
    source = f"def f({', '.join(names)}): return echo({', '.join(f'{n}={n}' for n in names)})"
    scope: dict[str, Any] = {"echo": echo}
    exec(source, scope)
    function: Callable[..., Any] = scope["f"]
    function.__annotations__ = dict(zip(names, kinds, strict=True))
    return function


@given(st.data(), st.lists(st.sampled_from(range(len(TYPES))), max_size=5))
def test_what_the_schema_allows_reaches_the_function_unchanged(data: st.DataObject, chosen: list[int]) -> None:
    signature = read_signature(made([TYPES[i][0] for i in chosen]), "f")
    given = {f"p{n}": data.draw(TYPES[i][1]) for n, i in enumerate(chosen)}
    assert set(signature.parameters["properties"]) == set(given)
    assert signature.validate(given) == given


@given(st.dictionaries(st.sampled_from(["n", "m"]) | st.text(), st.none() | st.integers() | st.text()))
def test_any_arguments_are_taken_or_refused_with_a_tool_error(arguments: dict[str, Any]) -> None:
    signature = read_signature(made([int]), "f")
    try:
        values = signature.validate({name.replace("n", "p0"): value for name, value in arguments.items()})
    except ToolError:
        return
    assert values == {"p0": int(arguments["n"])}
