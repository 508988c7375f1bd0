"""`LocalAgents`: the agents of this process by name; `serve_app`: the same over ARC, for `lmos agent run`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lmos.agents.agent import Agent
from lmos.agents.manifest import to_document
from lmos.conversation.errors import AgentFailed
from lmos.conversation.exchange import AgentEvent, AgentRequest
from lmos.models.base import Model
from lmos.protocols.arc.capabilities import CAPABILITIES_PATH, CapabilitiesDocument
from lmos.protocols.arc.server import arc_routes

if TYPE_CHECKING:
    from lmos.agents.engine import Engine, ModelResolver

__all__ = ["LocalAgents", "serve_app"]


class LocalAgents:
    """Agents of this process. The platform asks them without a wire; `arc_routes` serves them as an `ArcService`.

    `models` is the model of agents that name none (others get the one they name), or a function from that name. The
    engine, and pydantic-ai with it, is loaded with the first agent.
    """

    def __init__(self, models: Model | ModelResolver, agents: Sequence[Agent] = ()) -> None:
        self._resolve = models if callable(models) else _named_or(models)
        self._engine: Engine | None = None
        self._agents: dict[str, Agent] = {}
        self.replace(agents)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order of definition; the first is the one that ARC asks when no name is given."""
        return tuple(self._agents)

    @property
    def agents(self) -> tuple[Agent, ...]:
        return tuple(self._agents.values())

    def replace(self, agents: Sequence[Agent]) -> None:
        """Serve exactly these agents from now on; turns that run end with the agent that they began with.

        Raises `ValueError` for two agents of one name, and changes nothing then.
        """
        by_name = {agent.name: agent for agent in agents}
        if len(by_name) != len(agents):
            twice = sorted({a.name for a in agents if sum(b.name == a.name for b in agents) > 1})
            raise ValueError(f"two agents are named {', '.join(twice)}; rename one of them")
        if by_name:
            self._loaded().retain(agents)
        self._agents = by_name

    async def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        """Events of the named agent (`None`: the first). Raises `AgentFailed`, also for one that is not here."""
        agent = self._agents.get(agent_name) if agent_name is not None else next(iter(self._agents.values()), None)
        if agent is None:
            raise AgentFailed(
                f"agent {agent_name!r} is not loaded in this process; loaded are: {', '.join(self.names) or 'none'}"
            )
        async with aclosing(self._loaded().ask(agent, request)) as events:
            async for event in events:
                yield event

    async def aclose(self) -> None:
        """Let go of the engine's threads."""
        if self._engine is not None:
            await self._engine.aclose()

    def _loaded(self) -> Engine:
        if self._engine is None:
            from lmos.agents.engine import Engine

            self._engine = Engine(self._resolve)
        return self._engine


def _named_or(default: Model) -> ModelResolver:
    def resolve(name: str | None) -> Model:
        if name is None:
            return default
        from lmos.models.registry import model_named

        return model_named(name)

    return resolve


def serve_app(agents: LocalAgents) -> Starlette:
    """An agent server: `/graphql`, `/subscriptions`, `/sdl`, `/.well-known/capabilities.json`, `/livez`, `/readyz`.

    The capabilities document describes one agent. Of several it is the first, which is also the one that answers an
    ARC request without `agentName`; `?agent=NAME` gives the document of another. `agents` may be replaced meanwhile.
    """

    async def capabilities(request: Request) -> Response:
        name = request.query_params.get("agent")
        found = [agent for agent in agents.agents if name is None or agent.name == name]
        if not found:
            message = f"no agent {name!r} here; there are: {', '.join(agents.names) or 'none'}"
            return JSONResponse({"error": message}, status_code=404)
        document: CapabilitiesDocument = to_document(found[0])
        return Response(document.to_json(), media_type="application/json")

    async def live(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def ready(_: Request) -> Response:
        return PlainTextResponse("ok") if agents.names else PlainTextResponse("no agents", status_code=503)

    return Starlette(
        routes=[
            *arc_routes(agents),
            Route(CAPABILITIES_PATH, capabilities),
            Route("/livez", live),
            Route("/readyz", ready),
        ]
    )
