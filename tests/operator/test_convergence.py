"""Whatever the order of changes and faults, the operator ends where resolving afresh would, with no vain write."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import anyio
import looptime
import pytest

from lmos.operator.resolver import resolve
from lmos.resources.agent import Agent
from lmos.resources.base import Resource
from lmos.resources.channel import Channel, ResolveStatus
from tests.operator.builders import LABELS, agent, channel
from tests.operator.world import World

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


def _random_resource(rng: random.Random) -> Resource:
    names = ("x", "y", "z")
    if rng.random() < 0.5:
        wanted = [(rng.choice(names), rng.choice(("*", "^1.0.0", ">=2", "<2"))) for _ in range(rng.randint(0, 2))]
        labels = LABELS | {"subset": rng.choice(("stable", "canary"))}
        return channel(*wanted, name=f"channel-{rng.randint(0, 3)}", labels=labels)
    provided = [(rng.choice(names), rng.choice(("0.9.0", "1.0.0", "1.1.0", "2.0.0", "bad"))) for _ in range(2)]
    return agent(f"agent-{rng.randint(0, 3)}", *provided, subset=rng.choice((None, "stable", "canary")))


@pytest.mark.parametrize("seed", range(20))
async def test_any_order_of_changes_and_faults_converges(world: World, seed: int) -> None:
    rng = random.Random(seed)
    alive: dict[str, Resource] = {}
    async with world.manager(workers=3) as manager:
        for _ in range(40):
            action = rng.random()
            if action < 0.2 and alive:
                await world.remove(alive.pop(rng.choice(sorted(alive))))
            elif action < 0.3:
                world.seen.fail(rng.choice(("apply", "update_status")), rng.randint(1, 3))
            elif action < 0.4:
                world.seen.disconnect()
                world.seen.reconnect(*rng.sample(("Agent", "Channel", "ChannelRouting"), rng.randint(0, 3)))
            else:
                resource = _random_resource(rng)
                alive[str(resource.key)] = resource
                await world.put(resource)
            if rng.random() < 0.3:
                await anyio.sleep(rng.random())
        await manager.settled()
    await _assert_as_resolved_from_scratch(world, alive.values())
    assert world.seen.needless == 0


async def _assert_as_resolved_from_scratch(world: World, alive: Iterable[Resource]) -> None:
    agents = [resource for resource in alive if isinstance(resource, Agent)]
    channels = [resource for resource in alive if isinstance(resource, Channel)]
    for wanted in channels:
        resolution = resolve(wanted, agents)
        name = wanted.metadata.name
        assert await world.providers(name) == list(dict.fromkeys(w.agent.metadata.name for w in resolution.wires))
        expected = ResolveStatus.RESOLVED if resolution.resolved else ResolveStatus.UNRESOLVED
        assert await world.status(name) is expected
    routings = await world.store.list("ChannelRouting", "default")
    assert {r.metadata.name for r in routings.items} == {c.metadata.name for c in channels}
