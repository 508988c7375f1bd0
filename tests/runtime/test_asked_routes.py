"""Routes of an operator that can only be asked, in virtual time: how long an answer is good, and what outlives it."""

from __future__ import annotations

import asyncio
from typing import Any

import looptime
import pytest
from structlog.testing import capture_logs

from lmos.operator.base import StoreError
from lmos.resources.routing import ChannelRouting
from lmos.runtime.asked_routes import GOOD_SECONDS, AskedRoutes
from lmos.runtime.routes import Route, RoutesUnknown
from lmos.telemetry import names
from tests.runtime.fakes import routing

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


class Operator:
    """Answers after 0.1 seconds with `routing`, for channel `web`; `fault` is what it fails with."""

    def __init__(self) -> None:
        self.routing: ChannelRouting | None = routing("billing")
        self.fault: StoreError | None = None
        self.asked = 0

    async def ask(self, tenant: str, channel: str, subset: str) -> ChannelRouting | None:
        self.asked += 1
        await asyncio.sleep(0.1)
        if self.fault is not None:
            raise self.fault
        return self.routing if channel == "web" else None


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.fixture
def learnt() -> list[Route]:
    return []


@pytest.fixture
def routes(operator: Operator, learnt: list[Route]) -> AskedRoutes:
    return AskedRoutes(operator.ask, learnt.append)


async def _agents(routes: AskedRoutes) -> list[str]:
    found = await routes.find("acme", "web", "stable")
    return [] if found is None else [agent.name for agent in found.roster.agents]


async def test_a_route_is_asked_for_when_a_turn_needs_it(routes: AskedRoutes, operator: Operator) -> None:
    assert operator.asked == 0
    assert await _agents(routes) == ["billing"]


async def test_an_answer_is_good_for_a_few_seconds(routes: AskedRoutes, operator: Operator) -> None:
    await _agents(routes)
    operator.routing = routing("contract")
    await asyncio.sleep(GOOD_SECONDS - 1)
    assert (await _agents(routes), operator.asked) == (["billing"], 1)
    await asyncio.sleep(1)
    assert (await _agents(routes), operator.asked) == (["contract"], 2)


async def test_that_there_is_no_route_is_remembered_too(routes: AskedRoutes, operator: Operator) -> None:
    assert await routes.find("acme", "nowhere", "stable") is None
    assert await routes.find("acme", "nowhere", "stable") is None
    assert operator.asked == 1


async def test_turns_at_the_same_time_share_one_question(routes: AskedRoutes, operator: Operator) -> None:
    assert await asyncio.gather(*(_agents(routes) for _ in range(50))) == [["billing"]] * 50
    assert operator.asked == 1


async def test_a_turn_that_is_cancelled_does_not_take_the_answer_from_others(routes: AskedRoutes) -> None:
    first, second = asyncio.create_task(_agents(routes)), asyncio.create_task(_agents(routes))
    await asyncio.sleep(0.05)
    first.cancel()
    assert await second == ["billing"]


async def test_while_the_operator_is_away_the_last_route_serves(routes: AskedRoutes, operator: Operator) -> None:
    await _agents(routes)
    operator.fault = StoreError("connection refused")
    with capture_logs() as logs:
        for _ in range(3):
            await asyncio.sleep(3600)
            assert await _agents(routes) == ["billing"]
    assert [line["event"] for line in logs] == [names.EVENT_ROUTE_NOT_ASKED] * 3
    operator.fault, operator.routing = None, routing("contract")
    await asyncio.sleep(GOOD_SECONDS)
    assert await _agents(routes) == ["contract"]


async def test_what_was_never_answered_is_an_error_and_is_asked_again(routes: AskedRoutes, operator: Operator) -> None:
    operator.fault = StoreError("connection refused")
    with pytest.raises(RoutesUnknown, match="cannot be asked"):
        await _agents(routes)
    operator.fault = None
    assert await _agents(routes) == ["billing"]


async def test_a_route_is_learnt_when_it_is_new_or_changed(
    routes: AskedRoutes, operator: Operator, learnt: list[Route]
) -> None:
    for agent in ("billing", "billing", "contract"):
        operator.routing = routing(agent)
        await _agents(routes)
        await asyncio.sleep(GOOD_SECONDS)
    assert [route.roster.agents[0].name for route in learnt] == ["billing", "contract"]


async def test_what_callers_invent_does_not_fill_the_memory(routes: AskedRoutes, operator: Operator) -> None:
    await asyncio.gather(*(routes.find("acme", f"invented-{number}", "stable") for number in range(10_000)))
    await asyncio.gather(*(routes.find("acme", f"invented-{number}", "stable") for number in range(10_000)))
    assert operator.asked > 15_000


async def test_known_subsets_are_told(routes: AskedRoutes) -> None:
    for subset in ("stable", "canary"):
        await routes.find("acme", "web", subset)
    await routes.find("acme", "nowhere", "stable")
    assert routes.subsets("acme", "web") == ["canary", "stable"]
    assert routes.subsets("acme", "nowhere") == []
