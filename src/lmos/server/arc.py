"""The local agents' ARC surface on the platform's own port: where a JVM runtime finds agents that have no server."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from lmos.agents.serving import LocalAgents
from lmos.conversation.errors import AgentNotFound
from lmos.conversation.exchange import AgentEvent, AgentRequest

__all__ = ["PlatformAgents"]


class PlatformAgents:
    """An `ArcService` over the platform's local agents that never guesses between several.

    ARC lets the first agent answer when none is named. On an agent's own server that is the agent; here it would be
    somebody else's, so the asker is told to name one.
    """

    def __init__(self, agents: LocalAgents) -> None:
        self._agents = agents

    @property
    def names(self) -> tuple[str, ...]:
        return self._agents.names

    async def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        if agent_name is None and len(self.names) > 1:
            raise AgentNotFound(f"several agents live here ({', '.join(self.names)}); name one with agentName")
        async with aclosing(self._agents.ask(agent_name, request)) as events:
            async for event in events:
                yield event
