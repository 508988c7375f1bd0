"""`AgentClient` over ARC GraphQL: from a ChannelRouting's host or endpoint to the url of the subscription."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from urllib.parse import urlsplit, urlunsplit

from lmos.conversation.exchange import AgentEvent, AgentRequest
from lmos.protocols.arc.client import ArcClient
from lmos.resources.endpoints import subscription_url
from lmos.runtime.base import AgentAddress

__all__ = ["ArcAgentClient"]


class ArcAgentClient:
    """`hosts` maps service names to `address:port`, for tests and laptops where they do not resolve."""

    def __init__(self, client: ArcClient, hosts: Mapping[str, str] | None = None) -> None:
        self._client = client
        self._hosts = dict(hosts or {})

    async def ask(self, address: AgentAddress, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        url = self._resolve(subscription_url(address.endpoint or address.host))
        async with aclosing(self._client.ask(url, request, subset=address.subset)) as events:
            async for event in events:
                yield event

    async def aclose(self) -> None:
        await self._client.aclose()

    def _resolve(self, url: str) -> str:
        parts = urlsplit(url)
        if (target := self._hosts.get(parts.hostname or "")) is None:
            return url
        return urlunsplit(parts._replace(netloc=target))
