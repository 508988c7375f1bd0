"""`AgentClient` for agents in the platform's own process: no wire, no copies."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from lmos.conversation.exchange import AgentEvent, AgentRequest
from lmos.runtime.base import AgentAddress

__all__ = ["LocalClient", "LocalService"]


class LocalService(Protocol):
    """Agents by name, as `lmos.agents.serving.LocalAgents` offers them. Raises `AgentFailed`."""

    def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]: ...


class LocalClient:
    """Asks agents of `service` by the name that they have in the ChannelRouting."""

    def __init__(self, service: LocalService) -> None:
        self._service = service

    async def ask(self, address: AgentAddress, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        async with aclosing(self._service.ask(address.agent, request)) as events:
            async for event in events:
                yield event

    async def aclose(self) -> None:
        """Nothing is kept."""
