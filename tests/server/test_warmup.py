"""Agents are learnt when their channel's routing changes, not when the first customer asks."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from lmos.encoders.base import EncoderError
from lmos.router.base import Classification, ClassificationRequest, Roster
from lmos.runtime.routes import Route, compile_route
from lmos.server.warmup import Warmup
from tests.runtime.fakes import routing

pytestmark = pytest.mark.anyio


class Learning:
    """A classifier that notes what it prepares; it cannot learn agents whose name is in `broken`."""

    name = "learning"

    def __init__(self, *broken: str) -> None:
        self.learnt: list[tuple[str, ...]] = []
        self._broken = broken

    async def prepare(self, roster: Roster) -> None:
        await asyncio.sleep(0)
        agents = tuple(agent.name for agent in roster.agents)
        if set(agents) & set(self._broken):
            raise EncoderError("the embedding server is away")
        self.learnt.append(agents)

    async def classify(self, request: ClassificationRequest) -> Classification:
        raise AssertionError("nobody asks")


def route(*agents: str, channel: str = "web") -> Route:
    return compile_route(routing(*agents, channel=channel))


async def learn(classifier: Learning, *routes: Route) -> None:
    warmup = Warmup(classifier)
    task = asyncio.create_task(warmup.run())
    for noted in routes:
        warmup.note(noted)
    async with asyncio.timeout(2):
        await warmup.done()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_each_channel_is_learnt() -> None:
    classifier = Learning()
    await learn(classifier, route("billing"), route("support", channel="ivr"))

    assert classifier.learnt == [("billing",), ("support",)]


async def test_of_a_channel_that_changes_often_the_newest_counts() -> None:
    classifier = Learning()
    await learn(classifier, route("billing"), route("billing", "contract"))

    assert classifier.learnt == [("billing", "contract")]


async def test_a_channel_that_cannot_be_learnt_does_not_stop_the_others() -> None:
    classifier = Learning("billing")
    await learn(classifier, route("billing"), route("support", channel="ivr"))

    assert classifier.learnt == [("support",)]
