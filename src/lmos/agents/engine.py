"""`Engine`: runs agents. The one module of this room that knows pydantic-ai; loaded with the first local agent.

One `ask` is one run of pydantic-ai in a task of its own, which reports through a queue: a tool can speak meanwhile
(`Turn.emit`), and closing the event stream cancels model and tools wherever they are.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from pydantic_ai import Agent as NativeAgent
from pydantic_ai import RunContext
from pydantic_ai.exceptions import AgentRunError, ToolFailed, UsageLimitExceeded, UserError
from pydantic_ai.messages import (
    AgentStreamEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.messages import ModelMessage as NativeMessage
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from pydantic_ai.usage import UsageLimits
from pydantic_core import SchemaValidator, core_schema

from lmos.agents.agent import Agent
from lmos.agents.errors import ToolError
from lmos.agents.turn import Turn
from lmos.conversation.errors import AgentFailed
from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer, Delta, Intermediate, ToolCall, ToolResult
from lmos.conversation.messages import Message
from lmos.models.base import Model, ModelError
from lmos.models.conversion import definition, model_error
from lmos.models.native import Native, native
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["Engine", "ModelResolver"]

ModelResolver = Callable[[str | None], Model]
"""Gives the model with an Agent's `model` name, or the platform's for `None`. Raises `ModelError`."""

TOOL_ROUNDS: Final = 30
TOOL_THREADS: Final = 16

_log = logger("agents")
# Arguments reach `Tool.call` unvalidated: it validates them, and its message is what the model reads.
_ANY: Final = SchemaValidator(core_schema.any_schema())


class Engine:
    """Runs any number of agents at once. Use as async context manager, or call `aclose`.

    `models` is one model for all agents, or a function from an Agent's `model` name. `tool_rounds` bounds the model
    requests of one turn, `tool_threads` the synchronous tools that run at once.
    """

    def __init__(
        self, models: Model | ModelResolver, *, tool_rounds: int = TOOL_ROUNDS, tool_threads: int = TOOL_THREADS
    ) -> None:
        self._resolve = _resolver(models)
        self._limits = UsageLimits(request_limit=tool_rounds)
        self._tool_rounds = tool_rounds
        self._executor = ThreadPoolExecutor(tool_threads, thread_name_prefix="lmos-tool")
        # Both are costly to build, so they are kept: by agent, until `retain` drops it, and by model name.
        self._agents: dict[Agent, NativeAgent[_Run, str]] = {}
        self._models: dict[str | None, Native] = {}
        self._owns_models = callable(models)
        self._closing: list[Callable[[], Awaitable[None]]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the tools' threads and the models' connections; a tool that runs in a thread is not waited for.

        A model that was given as such is its giver's, and stays open.
        """
        self._executor.shutdown(wait=False, cancel_futures=True)
        for close in self._closing:
            await close()

    def retain(self, agents: Collection[Agent]) -> None:
        """Forget what was built for other agents. Turns of theirs that run are not disturbed."""
        # Weak keys would not do: a tool's function holds its module, and that the agent.
        self._agents = {agent: found for agent, found in self._agents.items() if agent in agents}

    async def ask(self, agent: Agent, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        """Deltas, tool calls and results, intermediate messages as they happen, then exactly one `Answer`.

        The deltas concatenate to the answer's text. Raises `AgentFailed` when prompt or model fail, or when
        `tool_rounds` is used up; tools do not fail a turn. Closing the iterator cancels everything.
        """
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[AgentEvent | None] = asyncio.Queue()

        def emit(text: str) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, Intermediate(text))

        run = _Run(Turn(request, emit=emit), queue.put_nowait, self._executor)
        task = asyncio.create_task(self._run(agent, request, run), name=f"agent {agent.name}")
        # Through the loop, as `emit` goes: so what a tool's thread said last comes before the end.
        task.add_done_callback(lambda _: loop.call_soon(queue.put_nowait, None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            yield task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # looked at, or asyncio would report a failure that nobody waited for

    async def _run(self, agent: Agent, request: AgentRequest, run: _Run) -> Answer:
        query, history = _transcript(agent, request)
        try:
            model = self._model(agent.model)
            # Its result is the last response's text; the answer is all that was shown.
            await self._native(agent).run(
                query,
                message_history=history,
                model=model.model,
                model_settings=model.settings,
                instructions=await _prompt(agent, run.turn) or None,
                deps=run,
                usage_limits=self._limits,
                event_stream_handler=_report,
                conversation_id=request.conversation_id,
            )
        except UsageLimitExceeded as error:
            raise AgentFailed(
                f"agent {agent.name!r} asked its model {self._tool_rounds} times without coming to an answer"
            ) from error
        except (ModelError, AgentRunError, UserError, ValueError) as error:
            told = model_error(agent.model or "default", error)
            _log.warning(names.EVENT_MODEL_FAILED, agent=agent.name, error=str(told), retryable=told.retryable)
            raise AgentFailed(f"agent {agent.name!r}: {told}") from error
        except AgentFailed:
            raise
        except Exception as error:  # border: whatever else a model or its client raises ends this turn alone
            _log.exception(names.EVENT_AGENT_CRASHED, agent=agent.name)
            raise AgentFailed(f"agent {agent.name!r} crashed: {type(error).__name__}: {error}") from error
        return Answer(Message(role="assistant", content=run.text, turn_id=request.turn_id))

    def _model(self, name: str | None) -> Native:
        found = self._models.get(name)
        if found is None:
            model = self._resolve(name)
            found = self._models[name] = native(model)
            close = getattr(model, "aclose", None)
            if self._owns_models and close is not None:
                self._closing.append(close)
        return found

    def _native(self, agent: Agent) -> NativeAgent[_Run, str]:
        found = self._agents.get(agent)
        if found is None:
            found = NativeAgent(
                name=agent.name,
                deps_type=_Run,
                toolsets=[_Tools(agent)] if agent.tools else [],
                # The limit of a run is `tool_rounds`; a model may use all of them to correct itself.
                retries=self._tool_rounds,
            )
            self._agents[agent] = found
        return found


def _resolver(models: Model | ModelResolver) -> ModelResolver:
    if callable(models):
        return models
    return lambda _: models


@dataclass
class _Run:
    """One run, as its tools and its event handler see it."""

    turn: Turn
    put: Callable[[AgentEvent], None]
    executor: ThreadPoolExecutor
    text: str = ""
    new_response: bool = False

    def say(self, text: str) -> None:
        if self.new_response and self.text:
            # A model may speak before it calls a tool and again after: two paragraphs of one answer.
            text = "\n\n" + text
        self.new_response = False
        self.text += text
        self.put(Delta(text))


class _Tools(AbstractToolset[_Run]):
    """An agent's tools for pydantic-ai."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._definitions = {
            spec.name: ToolsetTool[_Run](
                toolset=self, tool_def=definition(spec), max_retries=TOOL_ROUNDS, args_validator=_ANY
            )
            for spec in agent.specs
        }

    @property
    def id(self) -> str:
        return self._agent.name

    async def get_tools(self, ctx: RunContext[_Run]) -> dict[str, ToolsetTool[_Run]]:
        return self._definitions

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[_Run], tool: ToolsetTool[_Run]
    ) -> str:
        called = self._agent.tool(name)
        assert called is not None, name
        try:
            return await called.call(tool_args, ctx.deps.turn, ctx.deps.executor)
        except ToolError as error:
            _log.warning(names.EVENT_TOOL_FAILED, agent=self._agent.name, tool=name, error=str(error))
            raise ToolFailed(str(error)) from error


async def _report(context: RunContext[_Run], events: AsyncIterable[AgentStreamEvent]) -> None:
    """Turn pydantic-ai's events of one response, or of one round of tools, into ours."""
    run = context.deps
    run.new_response = True
    async for event in events:
        if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart) and event.part.content:
            run.say(event.part.content)
        elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta) and event.delta.content_delta:
            run.say(event.delta.content_delta)
        elif isinstance(event, FunctionToolCallEvent):
            run.put(ToolCall(event.part.tool_call_id, event.part.tool_name, _arguments(event.part)))
        elif isinstance(event, FunctionToolResultEvent):
            part = event.part
            text = part.model_response_str(wrap_if_error=False)
            failed = part.outcome != "success"
            run.put(ToolResult(part.tool_call_id, part.tool_name, "" if failed else text, text if failed else None))


def _arguments(part: ToolCallPart) -> dict[str, Any]:
    """What the model passed; arguments that are no JSON object are shown as it wrote them."""
    if isinstance(part.args, str):
        try:
            value: object = json.loads(part.args or "{}")
        except ValueError:
            value = None
        return value if isinstance(value, dict) else {"": part.args}  # pyright: ignore[reportUnknownVariableType]
    return dict(part.args or {})


def _transcript(agent: Agent, request: AgentRequest) -> tuple[str, Sequence[NativeMessage]]:
    """The user's new text and what was said before it. Raises `AgentFailed` when the user said nothing."""
    if not request.messages or request.messages[-1].role != "user":
        raise AgentFailed(f"agent {agent.name!r}: the last message must be the user's")
    history: list[NativeMessage] = [
        ModelRequest(parts=[UserPromptPart(message.content)])
        if message.role == "user"
        else ModelResponse(parts=[TextPart(message.content)])
        for message in request.messages[:-1]
    ]
    return request.messages[-1].content, history


async def _prompt(agent: Agent, turn: Turn) -> str:
    if isinstance(agent.prompt, str):
        return agent.prompt
    try:
        made = agent.prompt(turn)
        text = await made if inspect.isawaitable(made) else made
    except Exception as error:  # border to the author's code: the turn fails, the platform goes on
        raise AgentFailed(
            f"agent {agent.name!r}: its prompt function failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise AgentFailed(f"agent {agent.name!r}: its prompt function returned {type(text).__name__}, not a text")
    return text
