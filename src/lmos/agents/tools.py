"""`Tool`: a typed Python function that a model may call.

Agent authors write plain functions; `@tool` adds a name or examples. The engine calls `Tool.call`. A tool never aborts
the turn: what it raises becomes a `ToolError`, which the model reads.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast, overload

from pydantic_core import PydanticSerializationError, to_json

from lmos.agents.errors import DefinitionError, ToolError
from lmos.agents.signature import read_signature
from lmos.agents.turn import Turn
from lmos.models.base import ToolSpec

__all__ = ["Tool", "tool"]

P = ParamSpec("P")
R = TypeVar("R")

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Tool(Generic[P, R]):
    """A function with what a model needs to call it. Calling the tool calls the function, as in a test of it.

    `parameters` is a JSON schema of an object. `examples` are queries that this tool answers; the offline model picks
    by them. Raises `DefinitionError` for a function that a model cannot call.
    """

    __slots__ = ("_signature", "description", "examples", "function", "is_async", "name")

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        examples: Sequence[str] = (),
    ) -> None:
        if not callable(function):
            raise DefinitionError(f"tool {function!r} is not callable; give a function")
        self.name: str = name or getattr(function, "__name__", "")
        if not _NAME.fullmatch(self.name):
            raise DefinitionError(
                f"tool name {self.name!r} must be 1 to 64 letters, digits, '_' or '-'; set it with @tool(name=...)"
            )
        if isinstance(examples, str):
            raise DefinitionError(f"tool {self.name!r}: examples={examples!r} is one text; write a list")
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise DefinitionError(f"tool {self.name!r} is a generator; return the result, and use turn.emit meanwhile")
        self.function = function
        self.examples = tuple(examples)
        self.is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - an object whose __call__ is async is an async tool
        )
        self._signature = read_signature(function, self.name)
        self.description = description or self._signature.description

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"

    @property
    def parameters(self) -> dict[str, Any]:
        return self._signature.parameters

    @property
    def spec(self) -> ToolSpec:
        """The tool as a model sees it."""
        return ToolSpec(self.name, self.description, self.parameters, self.examples)

    async def call(self, arguments: Mapping[str, Any], turn: Turn, executor: Executor | None = None) -> str:
        """Validate, call, and give the result as text: strings as they are, everything else as JSON.

        A synchronous function runs in a thread of `executor` (the event loop's own when `None`); cancelling does not
        stop it once started. Raises `ToolError` for bad arguments, for whatever the function raises, and for a result
        that has no JSON form.
        """
        values = self._signature.validate(arguments)
        if self._signature.turn_parameter:
            values[self._signature.turn_parameter] = turn
        function = cast("Callable[..., Any]", self.function)
        try:
            if self.is_async:
                result = await cast("Awaitable[Any]", function(**values))
            else:
                context = contextvars.copy_context()
                result = await asyncio.get_running_loop().run_in_executor(
                    executor, lambda: context.run(function, **values)
                )
                if inspect.isawaitable(result):
                    result = await result
        except ToolError:
            raise
        except Exception as error:  # border to the author's code: the model reads what went wrong
            raise ToolError(f"{type(error).__name__}: {error}") from error
        return _text(result, self.name)


def _text(result: Any, name: str) -> str:
    if isinstance(result, str):
        return result
    try:
        return to_json(result).decode()
    except (PydanticSerializationError, ValueError):
        raise ToolError(
            f"tool {name!r} returned {type(result).__name__}, which has no JSON form; return text, numbers, lists, "
            "dicts, dataclasses or pydantic models"
        ) from None


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None, examples: Sequence[str] = ()
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    examples: Sequence[str] = (),
) -> Tool[P, R] | Callable[[Callable[P, R]], Tool[P, R]]:
    """Make a `Tool` of a function: `@tool`, or `@tool(examples=["..."])` to name it or give examples."""
    if function is not None:
        return Tool(function)
    return lambda decorated: Tool(decorated, name=name, description=description, examples=examples)
