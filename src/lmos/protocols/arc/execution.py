"""Runs GraphQL operations of the ARC schema against an `ArcService`.

`server` uses it for HTTP, `subscriptions` for the WebSocket. The contract is the file `schema.graphql`, executed by
graphql-core; this module knows nothing of sockets. It is also the border of the agent's code: whatever that raises ends
here, as a message for the asker and one line in the log.
"""

from __future__ import annotations

import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, Protocol, Self, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationType,
    build_schema,
    execute,  # pyright: ignore[reportUnknownVariableType] - generics without arguments in graphql-core
    get_operation_ast,
    parse,
    print_schema,
    subscribe,  # pyright: ignore[reportUnknownVariableType] - as above
    validate,
)
from structlog.contextvars import bind_contextvars

from lmos.clock import Clock
from lmos.conversation.errors import AgentFailed, TurnError
from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer
from lmos.protocols.arc.results import ResultWriter
from lmos.protocols.arc.types import from_wire
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["ArcExecutor", "ArcService", "BadOperation", "Operation", "OperationFailed", "arc_schema", "arc_sdl"]

# A query of ARC's clients has 60 tokens and 400 characters; graphiql's introspection 200 and 2,000.
MAX_QUERY_CHARS: Final = 16_384
MAX_QUERY_TOKENS: Final = 2_000
KEPT_QUERIES: Final = 64

UNEXPECTED: Final = "The agent failed unexpectedly; its log says why"

_log = logger("protocols.arc")


class ArcService(Protocol):
    """The agents that an ARC surface serves."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the agents, the default one first."""
        ...

    def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncIterator[AgentEvent]:
        """Events of the named agent (`None`: the first), the last an `Answer`.

        Raises `TurnError`, whose message the asker reads; what else it raises stays in the log. When the asker leaves,
        the iterator is cancelled in its await, or closed.
        """
        ...


class BadOperation(ValueError):
    """A request is no GraphQL operation; the message names the member."""


class OperationFailed(Exception):
    """An operation ended in errors: `errors` is GraphQL's list, each with `message`."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(str(error["message"]) for error in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Operation:
    """A request as GraphQL clients write it; `subset` comes from the header `x-subset`."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    subset: str | None = None

    @classmethod
    def of(cls, request: object, subset: str | None) -> Self:
        """The operation in a request's JSON value. Raises `BadOperation`."""
        if not isinstance(request, dict):
            raise BadOperation('the request is not an object; send {"query": "..."}')
        members = cast("dict[str, Any]", request)
        query, variables, name = members.get("query"), members.get("variables"), members.get("operationName")
        if not isinstance(query, str):
            raise BadOperation(f"query is {query!r:.40}, not a text")
        if not isinstance(variables, dict | None):
            raise BadOperation("variables is not an object")
        if not isinstance(name, str | None):
            raise BadOperation("operationName is not a text")
        return cls(query, cast("dict[str, Any] | None", variables), name, subset)


@dataclass(frozen=True, slots=True)
class _Context:
    executor: ArcExecutor
    subset: str | None


@lru_cache(maxsize=1)
def arc_schema() -> GraphQLSchema:
    """The schema of `schema.graphql` with its resolvers."""
    schema = build_schema(files("lmos.protocols.arc").joinpath("schema.graphql").read_text(encoding="utf-8"))
    assert schema.query_type is not None
    assert schema.subscription_type is not None
    schema.query_type.fields["agent"].resolve = _resolve_agents
    agent = schema.subscription_type.fields["agent"]
    agent.subscribe = _subscribe_agent
    agent.resolve = _resolve_result
    return schema


def arc_sdl() -> str:
    """The schema as text, for `GET /sdl`."""
    return print_schema(arc_schema()) + "\n"


class ArcExecutor:
    """Executes operations for one service."""

    def __init__(self, service: ArcService, clock: Clock) -> None:
        self.service = service
        self.clock = clock

    def execute(self, operation: Operation) -> dict[str, Any]:
        """`data` of a query. Raises `OperationFailed`, also for a subscription."""
        document, kind = _prepare(operation)
        if kind is not OperationType.QUERY:
            raise _refused(f"a {kind.value} needs the WebSocket at /subscriptions")
        return self._execute(document, operation)

    async def stream(self, operation: Operation) -> AsyncGenerator[dict[str, Any]]:
        """`data` of each result. Raises `OperationFailed`; closing or cancelling it does so to the agent."""
        document, kind = _prepare(operation)
        if kind is OperationType.QUERY:
            yield self._execute(document, operation)
            return
        try:
            source = subscribe(arc_schema(), document, **self._arguments(operation))
            if isinstance(source, ExecutionResult):
                raise _failed(source)
            # Nothing in the schema is awaitable before the first event, so this is the stream itself.
            results = cast("AsyncGenerator[ExecutionResult]", source)
            try:
                async for result in results:
                    if result.errors or result.data is None:
                        raise _failed(result)
                    yield result.data
            finally:
                await results.aclose()
        except OperationFailed:
            raise
        except TurnError as error:
            _log.warning(names.EVENT_ARC_TURN_FAILED, error=str(error), kind=type(error).__name__)
            raise _refused(str(error)) from None
        except Exception as error:  # noqa: BLE001 - border: an agent may raise anything, its asker sees none of it
            _log.error(
                names.EVENT_ARC_AGENT_RAISED, error=str(error), kind=type(error).__name__, where=_innermost(error)
            )
            raise _refused(UNEXPECTED) from None

    def _execute(self, document: DocumentNode, operation: Operation) -> dict[str, Any]:
        result = cast("ExecutionResult", execute(arc_schema(), document, **self._arguments(operation)))
        if result.errors or result.data is None:
            raise _failed(result)
        return result.data

    def _arguments(self, operation: Operation) -> dict[str, Any]:
        return {
            "context_value": _Context(self, operation.subset),
            "variable_values": operation.variables,
            "operation_name": operation.operation_name,
        }


def _resolve_agents(_root: object, info: GraphQLResolveInfo[_Context]) -> dict[str, Any]:
    context = info.context
    return {"names": list(context.executor.service.names)}


def _resolve_result(
    result: dict[str, Any], _info: GraphQLResolveInfo[_Context], **_arguments: object
) -> dict[str, Any]:
    return result


async def _subscribe_agent(
    _root: object,
    info: GraphQLResolveInfo[_Context],
    request: Mapping[str, Any],
    agentName: str | None = None,  # noqa: N803 - the wire's name
) -> AsyncGenerator[dict[str, Any]]:
    """Results of one agent; ends after the agent does, which may be later than its answer."""
    context = info.context
    # Each subscription has its own task, so these stay with the log lines of this turn, the agent's own included.
    bind_contextvars(agent=agentName, conversation=request["conversationContext"]["conversationId"])
    asked = from_wire(request, subset=context.subset)
    writer = ResultWriter(context.executor.clock, asked)
    events = context.executor.service.ask(agentName, asked)
    answered = False
    try:
        async for event in events:
            if answered:
                _log.warning(names.EVENT_ARC_LATE_EVENT, kind=type(event).__name__)
                continue
            answered = isinstance(event, Answer)
            if (result := writer.write(event)) is not None:
                yield result.to_wire()
    finally:
        if isinstance(events, AsyncGenerator):
            await cast("AsyncGenerator[AgentEvent]", events).aclose()
    if not answered:
        raise AgentFailed("The agent ended without an answer")


def _prepare(operation: Operation) -> tuple[DocumentNode, OperationType]:
    """The validated document and the kind of its operation. Raises `OperationFailed`."""
    if len(operation.query) > MAX_QUERY_CHARS:
        raise _refused(f"query has {len(operation.query)} characters; at most {MAX_QUERY_CHARS} are read")
    prepared = _validated(operation.query)
    if isinstance(prepared, tuple):
        raise OperationFailed([dict(error.formatted) for error in prepared])
    chosen = get_operation_ast(prepared, operation.operation_name)
    if chosen is None:
        named = (
            f"no operation named {operation.operation_name!r:.80}" if operation.operation_name else "several operations"
        )
        raise _refused(f"the query has {named}; set operationName to one of its operations")
    return prepared, chosen.operation


@lru_cache(maxsize=KEPT_QUERIES)
def _validated(query: str) -> DocumentNode | tuple[GraphQLError, ...]:
    """Parse and validate once per text: clients send one query all day, and both cost more than a turn."""
    try:
        document = parse(query, max_tokens=MAX_QUERY_TOKENS)
    except GraphQLError as error:
        return (error,)
    return tuple(validate(arc_schema(), document, max_errors=5)) or document


def _refused(message: str) -> OperationFailed:
    return OperationFailed([{"message": message}])


def _failed(result: ExecutionResult) -> OperationFailed:
    """GraphQL's own texts speak of query and variables and may be read; those of a service's exceptions may not."""
    errors = [
        dict(error.formatted)
        if error.original_error is None or isinstance(error.original_error, GraphQLError)
        else {"message": UNEXPECTED}
        for error in result.errors or ()
    ]
    return OperationFailed(errors or [{"message": "no data"}])


def _innermost(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
