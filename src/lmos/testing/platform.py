"""`MemoryPlatform`: the whole platform inside a test. Real store, operator, router, runtime and REST API, no port.

    async with MemoryPlatform(agents=[agent], model=ScriptedModel(["39.95 EUR"])) as platform:
        said = await platform.say("How much is my bill?")
        assert said.agent == "billing"

Its data lies in a temporary folder that goes with it. Without `manifests`, one channel requires everything that the
agents provide.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from lmos.agents.agent import Agent
from lmos.clock import Clock
from lmos.conversation.events import MessageCompleted, TurnEvent, TurnFailed
from lmos.conversation.messages import Message, User
from lmos.conversation.turn import TurnRequest
from lmos.models.base import Model
from lmos.operator.base import Store
from lmos.resources.base import ObjectMeta
from lmos.resources.channel import Channel, ChannelSpec, RequiredCapability
from lmos.server.platform import Platform
from lmos.settings import Settings

__all__ = ["MemoryPlatform", "Said"]


@dataclass(frozen=True)
class Said:
    """How a turn ended: `text` of the answer, `agent` that gave it (`None`: the platform itself), all events.

    `error` is the code of a turn that failed, and `text` its message.
    """

    text: str
    agent: str | None
    events: tuple[TurnEvent, ...]
    error: str | None = None


class MemoryPlatform:
    """A platform for one test. `agents` live in its process; `manifests` are files as `lmos up -f` takes them."""

    def __init__(
        self,
        *,
        agents: Sequence[Agent] = (),
        manifests: Sequence[str | Path] = (),
        model: Model | None = None,
        tenant: str = "acme",
        channel: str = "web",
        clock: Clock | None = None,
        turn_deadline: float = 10.0,
    ) -> None:
        self._agents = agents
        self._manifests = manifests
        self._model = model
        self._tenant = tenant
        self._channel = channel
        self._clock = clock
        self._turn_deadline = turn_deadline
        self._stack = AsyncExitStack()
        self._turns = 0
        self._platform: Platform | None = None

    async def __aenter__(self) -> Self:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lmos-")))
        settings = Settings(data=folder, synchronous="normal", turn_deadline=self._turn_deadline)
        opening = Platform.open(settings, platform_host="lmos.test:80", clock=self._clock, model=self._model)
        self._platform = await self._stack.enter_async_context(opening)
        channel = () if self._manifests else (self._channel_for_all(),)
        await self._platform.start(self._manifests, agents=self._agents, resources=channel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def platform(self) -> Platform:
        """The parts. Raises `RuntimeError` before the platform is entered."""
        if self._platform is None:
            raise RuntimeError("the platform is not running; use `async with MemoryPlatform(...) as platform`")
        return self._platform

    @property
    def store(self) -> Store:
        """The resources; after a change, `settled` waits until it has its effect."""
        return self.platform.store

    async def settled(self) -> None:
        """Wait until everything in the store is reconciled and routable."""
        await self.platform.settled()

    def client(self) -> httpx2.AsyncClient:
        """A client of the REST API, in process. Close it, or use it as a context manager."""
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.platform.app), base_url="http://lmos.test")

    async def say(
        self,
        text: str,
        *,
        conversation: str = "conversation-1",
        turn: str | None = None,
        user: str = "user-1",
        tenant: str | None = None,
        channel: str | None = None,
        subset: str | None = None,
        explicit_agent: str | None = None,
    ) -> Said:
        """Take one turn. Turn ids count up unless given; a failed turn is told by `error`, not raised."""
        self._turns += 1
        request = TurnRequest(
            tenant=tenant or self._tenant,
            channel=channel or self._channel,
            subset=subset,
            conversation_id=conversation,
            turn_id=turn or f"turn-{self._turns}",
            user=User(id=user),
            messages=(Message(role="user", content=text),),
            explicit_agent=explicit_agent,
        )
        events = tuple([event async for event in self.platform.runtime.handle(request)])
        if isinstance(failed := events[-1], TurnFailed):
            return Said(failed.message, None, events, failed.code)
        messages = [event for event in events if isinstance(event, MessageCompleted)]
        return Said("\n\n".join(m.message.content for m in messages), messages[-1].agent, events)

    def _channel_for_all(self) -> Channel:
        required = {
            capability.name: RequiredCapability(name=capability.name, version="*")
            for agent in self._agents
            for capability in agent.capabilities
        }
        labels = {"tenant": self._tenant, "channel": self._channel, "version": "1.0.0", "subset": "stable"}
        meta = ObjectMeta(name=f"{self._tenant}-{self._channel}", labels=labels)
        return Channel(metadata=meta, spec=ChannelSpec(required_capabilities=tuple(required.values())))
