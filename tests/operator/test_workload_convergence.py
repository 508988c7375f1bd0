"""Whatever happens to a workload, its Service, its agent, the store or the operator: all is well in the end."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import looptime
import pytest

from lmos.operator import reasons
from lmos.operator.agent_status import ready_of
from lmos.operator.ownership import controller_of
from lmos.resources.agent import Agent
from lmos.resources.channel import ResolveStatus
from tests.operator.builders import agent, channel
from tests.operator.discovery.builders import deployment, service
from tests.operator.discovery.scripted import ScriptedAgents, capabilities
from tests.operator.flaky import FlakyStore
from tests.operator.memory import MemoryStore
from tests.operator.world import World

pytestmark = pytest.mark.anyio

URL = "http://billing.default.svc.cluster.local:8080"
KINDS = ("Agent", "Channel", "ChannelRouting", "Deployment", "Service")


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


class Life:
    """One deployment `billing` and what surrounds it, changed at random."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.memory = MemoryStore()
        self.seen = FlakyStore(self.memory)
        self.world = World(self.memory, self.seen)
        self.agents = ScriptedAgents()
        self.revision = 0

    def step(self) -> None:
        """Something happens."""
        actions = (
            *(self.deploy, self.deploy, self.undeploy, self.unlabel, self.expose, self.unexpose),
            *(self.answer, self.answer, self.fall_silent, self.write_by_hand, self.remove_agent),
            *(self.break_store, self.cut_watches),
        )
        self.rng.choice(actions)()

    def deploy(self) -> None:
        self.revision += self.rng.random() < 0.5
        status = self.rng.choice((None, None, {"updatedReplicas": 0}, {"availableReplicas": 0}))
        self._deploy(self.rng.randint(0, 3), status)

    def undeploy(self) -> None:
        self._remove("Deployment", "billing")

    def unlabel(self) -> None:
        if (found := self._known("Deployment", "billing")) is not None:
            self.memory.remove(found, alone=True)

    def expose(self) -> None:
        self.memory.put(service(self.rng.choice(("billing", "other")), {"port": self.rng.choice((8080, 9090))}))

    def unexpose(self) -> None:
        self._remove("Service", self.rng.choice(("billing", "other")))

    def answer(self) -> None:
        self.agents.serve(URL, capabilities(("bill", self.rng.choice(("1.0.0", "1.1.0", "2.0.0", "1.0")))))

    def fall_silent(self) -> None:
        self.agents.fail(URL)

    def write_by_hand(self) -> None:
        labels = self.rng.choice(({}, {"lmos-agent": "true"}))
        self.memory.put(agent("billing", ("bill", "1.5.0")).with_meta(labels=labels))

    def remove_agent(self) -> None:
        self._remove("Agent", "billing")

    def break_store(self) -> None:
        self.seen.fail(self.rng.choice(("apply", "update_status")), self.rng.randint(1, 3))

    def cut_watches(self) -> None:
        self.seen.disconnect()
        self.seen.reconnect(*self.rng.sample(KINDS, self.rng.randint(0, len(KINDS))))

    def heal(self) -> None:
        """From now on all is as it should be."""
        self.revision += 1
        self.unexpose()
        self._remove("Service", "other")
        self.memory.put(service())
        self.agents.serve(URL, capabilities(("bill", "1.9.0")))
        self._deploy(2, None)

    def _deploy(self, replicas: int, status: dict[str, Any] | None) -> None:
        revision = f"{self.revision}"
        self.memory.put(deployment(replicas=replicas, status=status, revision=revision, image=f"billing:{revision}"))

    def _known(self, kind: str, name: str) -> Any:
        found = (known for known in self.memory.objects if (known.KIND, known.metadata.name) == (kind, name))
        return next(found, None)

    def _remove(self, kind: str, name: str) -> None:
        if (found := self._known(kind, name)) is not None:
            self.memory.remove(found)


@pytest.mark.parametrize("seed", range(150))
async def test_any_life_of_a_workload_ends_well(seed: int) -> None:
    rng = random.Random(seed)
    life = Life(rng)
    life.agents.delay = rng.choice((0, 0, 3))
    life.memory.put(channel(("bill", "^1.0.0"), name="web"))
    async with AsyncExitStack() as stack:
        for _ in range(rng.randint(1, 3)):
            await stack.aclose()
            await stack.enter_async_context(life.world.manager(documents=life.agents, workloads=True))
            for _ in range(15):
                life.step()
                await asyncio.sleep(rng.choice((0, 0.01, 1, 30)))
        life.heal()
        asked = len(life.agents.asked)
        await asyncio.sleep(700)
        assert len(life.agents.asked) - asked < 30
        await _assert_well(life)
        written, asked = life.seen.writes.copy(), len(life.agents.asked)
        await asyncio.sleep(400)
        assert life.seen.writes == written
        assert len(life.agents.asked) - asked <= 1
    assert life.seen.needless == 0


async def _assert_well(life: Life) -> None:
    found = await life.memory.get("Agent", "default", "billing")
    assert isinstance(found, Agent)
    ready = ready_of(found.status)
    assert ready is not None
    (version,) = {capability.version for capability in found.spec.provided_capabilities}
    if controller_of(found) is None:
        assert "lmos-agent" not in found.metadata.labels
        assert (ready.status, ready.reason, version) == ("True", reasons.DECLARED, "1.5.0")
    else:
        assert (ready.status, ready.reason, version) == ("True", reasons.DISCOVERED, "1.9.0")
    assert await life.world.status() is ResolveStatus.RESOLVED
