"""Agents of Deployments and Rollouts: when they are asked, what is written, whose they are. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from typing import Any

import looptime
import pytest

from lmos.operator import reasons
from lmos.operator.agent_status import ready_of
from lmos.operator.manager import Manager
from lmos.resources.agent import Agent, Endpoint
from lmos.resources.base import OwnerReference, Resource
from lmos.resources.channel import ResolveStatus
from tests.operator.builders import agent, channel
from tests.operator.discovery.builders import deployment, rollout, service
from tests.operator.discovery.scripted import ScriptedAgents, capabilities, card
from tests.operator.flaky import FlakyStore
from tests.operator.memory import MemoryStore
from tests.operator.recorded import Recorded
from tests.operator.world import World

pytestmark = pytest.mark.anyio

WEB = channel(("bill", "^1.0.0"), name="web")
URL = "http://billing.default.svc.cluster.local:8080"
ROLLING = {"observedGeneration": 1, "updatedReplicas": 0}


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


class Cluster(World):
    """A world with workloads, whose Service leads to one scripted agent."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        super().__init__(self.memory, FlakyStore(self.memory))
        self.agents = ScriptedAgents()
        self.recorded = Recorded()
        self.agents.serve(URL, capabilities(("bill", "1.0.0")))

    @asynccontextmanager
    async def operated(self, **options: Any) -> AsyncGenerator[Manager]:
        told: dict[str, Any] = {"documents": self.agents, "recorder": self.recorded, "workloads": True, **options}
        async with self.manager(**told) as manager:
            await manager.settled()
            yield manager

    def declare(self, *resources: Resource) -> None:
        for resource in resources:
            self.memory.put(resource)

    async def agent(self) -> Agent:
        found = await self.store.get("Agent", "default", "billing")
        assert isinstance(found, Agent)
        return found

    async def is_gone(self) -> bool:
        return await self.store.get("Agent", "default", "billing") is None

    async def ready(self) -> tuple[str, str]:
        condition = ready_of((await self.agent()).status)
        assert condition is not None
        return condition.status, condition.reason

    @property
    def asked(self) -> int:
        return len(self.agents.asked)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


async def test_a_ready_deployment_gets_an_agent_of_its_name_that_belongs_to_it(cluster: Cluster) -> None:
    billing = deployment().with_meta(labels={"lmos-agent": "true", "subset": "stable", "team": "a"})
    cluster.declare(billing, service(), WEB)
    async with cluster.operated():
        found = await cluster.agent()
        assert await cluster.ready() == ("True", reasons.DISCOVERED)
        assert await cluster.status() is ResolveStatus.RESOLVED
    assert found.metadata.labels == {
        "lmos-agent": "true",
        "subset": "stable",
        "app.kubernetes.io/managed-by": "lmos-operator",
    }
    assert found.metadata.owner_references == (
        OwnerReference(
            api_version="apps/v1",
            kind="Deployment",
            name="billing",
            uid=str(billing.metadata.uid),
            controller=True,
            block_owner_deletion=True,
        ),
    )
    assert (found.spec.id, found.spec.supported_channels) == ("billing", ("web",))
    assert found.spec.endpoint == Endpoint(url=URL, protocol="arc")
    assert ("Agent/billing", "Normal", reasons.DISCOVERED) in cluster.recorded.events


async def test_nothing_is_written_and_nobody_asked_while_nothing_changes(cluster: Cluster) -> None:
    cluster.declare(deployment(), service(), WEB)
    async with cluster.operated():
        written = cluster.seen.writes.copy()
        await asyncio.sleep(500)
        cluster.declare(deployment(replicas=2), service("other", selector={"app": "other"}))
        await asyncio.sleep(50)
        assert (cluster.asked, cluster.seen.writes) == (1, written)
        await asyncio.sleep(1200)
        assert cluster.asked in (2, 3)
        assert cluster.seen.writes == written
    assert cluster.seen.needless == 0


async def test_a_restart_asks_nobody(cluster: Cluster) -> None:
    cluster.declare(deployment(), service(), WEB)
    for _ in range(3):
        async with cluster.operated():
            await asyncio.sleep(60)
    assert cluster.asked == 1


async def test_a_restart_between_the_two_writes_asks_once_more_and_ends_well(cluster: Cluster) -> None:
    cluster.declare(deployment(), service(), WEB)
    cluster.seen.fail("update_status", 1000)
    async with cluster.manager(documents=cluster.agents, workloads=True):
        await asyncio.sleep(0.1)
    cluster.seen.fail("update_status", -1000)
    before = cluster.asked
    async with cluster.operated():
        assert await cluster.ready() == ("True", reasons.DISCOVERED)
    assert cluster.asked == before + 1


async def test_an_agent_by_its_card_serves_the_channels_that_its_workload_says(cluster: Cluster) -> None:
    cluster.agents.serve(URL, card("bill"))
    cluster.declare(deployment(), service(), WEB)
    async with cluster.operated() as manager:
        assert await cluster.status() is ResolveStatus.UNRESOLVED
        condition = ready_of((await cluster.agent()).status)
        assert condition is not None
        assert "the annotation lmos.eclipse/channels of its workload" in condition.message
        cluster.declare(deployment(annotations={"lmos.eclipse/channels": "web"}))
        await manager.settled()
        assert await cluster.status() is ResolveStatus.RESOLVED
    assert (await cluster.agent()).spec.endpoint == Endpoint(url=URL, protocol="a2a")


# What is asked when


async def test_an_agent_is_not_asked_before_all_of_it_is_there(cluster: Cluster) -> None:
    cluster.declare(deployment(replicas=3, status={"availableReplicas": 2}), service(), WEB)
    async with cluster.operated() as manager:
        assert await cluster.ready() == ("Unknown", reasons.WORKLOAD_NOT_READY)
        assert (await cluster.agent()).spec.provided_capabilities == ()
        await asyncio.sleep(3600)
        assert cluster.asked == 0
        cluster.declare(deployment(replicas=3))
        await manager.settled()
        assert await cluster.ready() == ("True", reasons.DISCOVERED)
        assert await cluster.status() is ResolveStatus.RESOLVED


async def test_a_new_revision_is_asked_when_it_is_complete_and_the_old_one_holds_until_then(cluster: Cluster) -> None:
    cluster.declare(deployment(), service(), WEB)
    async with cluster.operated() as manager:
        cluster.agents.serve(URL, capabilities(("bill", "2.0.0")))
        cluster.declare(deployment(image="billing:2", revision="2", status=ROLLING))
        await manager.settled()
        assert await cluster.ready() == ("Unknown", reasons.WORKLOAD_NOT_READY)
        assert await cluster.status() is ResolveStatus.RESOLVED
        cluster.declare(deployment(image="billing:2", revision="2"))
        await manager.settled()
        assert await cluster.status() is ResolveStatus.UNRESOLVED
    assert cluster.asked == 2


@pytest.mark.parametrize("status", [{"availableReplicas": 1}, {"replicas": 3}], ids=["a pod restarts", "scaling"])
async def test_what_happens_within_a_revision_changes_nothing(cluster: Cluster, status: dict[str, Any]) -> None:
    cluster.declare(deployment(replicas=2), service(), WEB)
    async with cluster.operated() as manager:
        written = cluster.seen.writes.copy()
        cluster.declare(deployment(replicas=2, status=status))
        await manager.settled()
        assert (cluster.asked, cluster.seen.writes) == (1, written)


@pytest.mark.parametrize(
    "gone", [deployment(replicas=0), deployment(replicas=2, status={"availableReplicas": 0})], ids=["scaled", "crashed"]
)
async def test_an_agent_without_any_replica_is_not_ready(cluster: Cluster, gone: Resource) -> None:
    cluster.declare(deployment(replicas=2), service(), WEB)
    async with cluster.operated() as manager:
        cluster.declare(gone)
        await manager.settled()
        assert await cluster.ready() == ("False", reasons.WORKLOAD_UNAVAILABLE)
        assert await cluster.status() is ResolveStatus.RESOLVED
        cluster.declare(deployment(replicas=2))
        await manager.settled()
        assert await cluster.ready() == ("True", reasons.DISCOVERED)
    assert cluster.asked == 1


async def test_a_deployment_of_no_replicas_is_not_asked(cluster: Cluster) -> None:
    cluster.declare(deployment(replicas=0), service())
    async with cluster.operated():
        assert await cluster.ready() == ("False", reasons.WORKLOAD_UNAVAILABLE)
    assert cluster.asked == 0


async def test_another_port_of_the_service_is_asked_and_becomes_the_endpoint(cluster: Cluster) -> None:
    cluster.agents.serve(URL.replace("8080", "9090"), capabilities(("bill", "1.0.0")))
    cluster.declare(deployment(), service())
    async with cluster.operated() as manager:
        cluster.declare(service("billing", {"port": 9090}))
        await manager.settled()
        assert (await cluster.agent()).spec.endpoint == Endpoint(url=URL.replace("8080", "9090"))
    assert cluster.asked == 2


async def test_a_service_that_comes_and_goes_wakes_the_workloads_behind_it(cluster: Cluster) -> None:
    cluster.declare(deployment(), WEB)
    async with cluster.operated() as manager:
        assert await cluster.ready() == ("False", reasons.SERVICE_MISSING)
        cluster.declare(service())
        await manager.settled()
        assert await cluster.ready() == ("True", reasons.DISCOVERED)
        cluster.memory.remove(service())
        await manager.settled()
        assert await cluster.ready() == ("False", reasons.SERVICE_MISSING)
        assert await cluster.status() is ResolveStatus.RESOLVED
        cluster.declare(service("a"), service("b"))
        await manager.settled()
        assert await cluster.ready() == ("False", reasons.SERVICE_AMBIGUOUS)


async def test_an_agent_that_does_not_answer_is_asked_ever_more_seldom_whatever_happens_around_it(
    cluster: Cluster,
) -> None:
    cluster.agents.fail(URL)
    cluster.declare(deployment(), service())
    async with cluster.operated() as manager:
        assert await cluster.ready() == ("False", reasons.UNREACHABLE)
        for number in range(360):
            # Its pods come and go every ten seconds.
            cluster.declare(deployment(replicas=2, status={"availableReplicas": number % 2 + 1}))
            await asyncio.sleep(10)
        assert cluster.asked < 25
        assert cluster.recorded.events == [("Agent/billing", "Warning", reasons.UNREACHABLE)]
        cluster.agents.serve(URL, capabilities(("bill", "1.0.0")))
        cluster.declare(deployment(image="billing:2", revision="2"))
        await manager.settled()
        assert await cluster.ready() == ("True", reasons.DISCOVERED)
        assert not cluster.seen.needless


async def test_an_invalid_document_is_told_and_what_was_known_holds(cluster: Cluster) -> None:
    cluster.declare(deployment(), service(), WEB)
    async with cluster.operated() as manager:
        cluster.agents.serve(URL, capabilities(("bill", "1.1"), ("more", "1.0.0")))
        cluster.declare(deployment(image="billing:2", revision="2"))
        await manager.settled()
        assert await cluster.ready() == ("False", reasons.INVALID_DOCUMENT)
        assert await cluster.status() is ResolveStatus.RESOLVED
        cluster.agents.serve(URL, capabilities(("bill", "1.1.0")))
        await asyncio.sleep(2)
        assert await cluster.ready() == ("True", reasons.DISCOVERED)


# Whose it is


async def test_an_agent_goes_with_its_deployment(cluster: Cluster) -> None:
    cluster.declare(deployment(), service(), WEB)
    async with cluster.operated() as manager:
        cluster.memory.remove(deployment())
        await manager.settled()
        assert await cluster.is_gone()
        assert await cluster.status() is ResolveStatus.UNRESOLVED


async def test_nothing_is_made_for_a_deployment_that_is_being_deleted(cluster: Cluster) -> None:
    cluster.declare(deployment().with_meta(deletion_timestamp="2026-11-25T09:00:00Z"), service())
    async with cluster.operated():
        assert await cluster.is_gone()


async def test_an_agent_whose_deployment_is_none_any_more_is_removed(cluster: Cluster) -> None:
    cluster.declare(deployment(), service())
    async with cluster.operated():
        pass
    cluster.memory.remove(deployment(), alone=True)
    async with cluster.operated(workloads=False, argo_rollouts=True):
        assert not await cluster.is_gone()
    async with cluster.operated():
        assert await cluster.is_gone()


async def test_an_agent_that_somebody_deletes_is_made_again(cluster: Cluster) -> None:
    cluster.declare(deployment(), service(), WEB)
    async with cluster.operated() as manager:
        cluster.memory.remove(await cluster.agent())
        await manager.settled()
        assert await cluster.status() is ResolveStatus.RESOLVED


async def test_a_spec_that_somebody_writes_over_is_put_right_but_not_in_a_hurry(cluster: Cluster) -> None:
    cluster.declare(deployment(), service(), WEB)
    async with cluster.operated():
        for _ in range(50):
            found = await cluster.agent()
            cluster.memory.put(found.model_copy(update={"spec": agent("billing", ("bill", "9.0.0")).spec}))
            await asyncio.sleep(1)
        assert cluster.asked <= 6
        await asyncio.sleep(10)
        assert await cluster.status() is ResolveStatus.RESOLVED


async def test_labels_follow_the_workload(cluster: Cluster) -> None:
    cluster.declare(deployment(), service(), WEB)
    async with cluster.operated() as manager:
        cluster.declare(deployment().with_meta(labels={"lmos-agent": "true", "subset": "canary"}))
        await manager.settled()
        assert (await cluster.agent()).subset == "canary"
        assert await cluster.status() is ResolveStatus.UNRESOLVED
    assert cluster.asked == 1


async def test_an_agent_that_the_jvm_operator_left_is_taken_over(cluster: Cluster) -> None:
    left = agent("billing", ("bill", "0.1.0")).with_meta(labels={"lmos-agent": "true"})
    cluster.declare(left, deployment(), service(), WEB)
    async with cluster.operated():
        assert await cluster.status() is ResolveStatus.RESOLVED
        assert len((await cluster.agent()).metadata.owner_references) == 1


async def test_an_agent_is_taken_over_with_what_it_says_although_its_workload_is_silent(cluster: Cluster) -> None:
    cluster.agents.fail(URL)
    left = agent("billing", ("bill", "1.0.0")).with_meta(labels={"lmos-agent": "true"})
    cluster.declare(left, deployment(), service(), WEB)
    async with cluster.operated():
        assert await cluster.ready() == ("False", reasons.UNREACHABLE)
        assert await cluster.status() is ResolveStatus.RESOLVED
        assert len((await cluster.agent()).metadata.owner_references) == 1


async def test_an_agent_is_not_taken_over_for_a_workload_that_is_gone(cluster: Cluster) -> None:
    left = agent("billing", ("bill", "1.0.0")).with_meta(labels={"lmos-agent": "true"})
    cluster.declare(left, deployment(), service())

    async def created_again() -> None:
        cluster.memory.remove(deployment())

    cluster.seen.before("get", "Deployment", created_again)
    async with cluster.operated() as manager:
        await manager.settled()
        assert (await cluster.agent()).metadata.owner_references == ()


@pytest.mark.parametrize(
    "labels",
    [{}, {"lmos-agent": "false"}, {"lmos-agent": "true", "app.kubernetes.io/managed-by": "Helm"}],
    ids=["plain", "other value", "helm"],
)
async def test_an_agent_that_people_wrote_stays_theirs(cluster: Cluster, labels: dict[str, str]) -> None:
    written = agent("billing", ("bill", "1.0.0")).with_meta(labels=labels)
    cluster.declare(written, deployment(), service(), WEB)
    async with cluster.operated() as manager:
        found = await cluster.agent()
        assert (found.spec, found.metadata.owner_references) == (written.spec, ())
        assert await cluster.ready() == ("True", reasons.DECLARED)
        assert await cluster.status() is ResolveStatus.RESOLVED
        told = ("Deployment/billing", "Warning", reasons.NAME_TAKEN)
        assert cluster.recorded.events.count(told) == 1
        cluster.declare(deployment(replicas=2))
        await manager.settled()
        assert cluster.recorded.events.count(told) == 1
        cluster.memory.remove(found)
        await manager.settled()
        assert await cluster.ready() == ("True", reasons.DISCOVERED)
    assert cluster.asked == 1


async def test_an_agent_of_another_controller_stays_its_own(cluster: Cluster) -> None:
    other = OwnerReference(api_version="shop/v1", kind="Shop", name="billing", uid="u", controller=True)
    written = agent("billing").with_meta(labels={"lmos-agent": "true"}, owner_references=(other,))
    cluster.declare(written, deployment(), service())
    async with cluster.operated():
        assert (await cluster.agent()).metadata.owner_references == (other,)
        assert ("Deployment/billing", "Warning", reasons.NAME_TAKEN) in cluster.recorded.events


async def test_an_agent_that_is_created_while_the_workload_is_asked_stays_its_writers(cluster: Cluster) -> None:
    forced: list[bool] = []

    class Watched(FlakyStore):
        async def apply(
            self, resource: Resource, *, field_manager: str, force: bool = True, without: Collection[str] = ()
        ) -> Resource:
            forced.append(force)
            return await super().apply(resource, field_manager=field_manager, force=force, without=without)

    cluster.seen = Watched(cluster.memory)
    cluster.declare(deployment(), service())
    async with cluster.operated() as manager:
        cluster.agents.serve(URL, capabilities(("bill", "1.1.0")))
        cluster.declare(deployment(image="billing:2", revision="2"))
        await manager.settled()
    # A store that knows who wrote what refuses the first.
    assert forced == [False, True]


async def test_a_deployment_that_was_created_again_keeps_its_agent(cluster: Cluster) -> None:
    cluster.declare(deployment(), service(), WEB)
    async with cluster.operated() as manager:
        found = await cluster.agent()
        cluster.memory.remove(deployment())
        cluster.declare(found.with_meta(uid=None), deployment().with_meta(uid="another"))
        await manager.settled()
        (owner,) = (await cluster.agent()).metadata.owner_references
        assert owner.uid == "another"


async def test_of_two_workloads_of_one_name_the_first_keeps_the_agent(cluster: Cluster) -> None:
    cluster.declare(rollout(), service())
    async with cluster.operated(argo_rollouts=True) as manager:
        assert (await cluster.agent()).metadata.owner_references[0].kind == "Rollout"
        cluster.declare(deployment())
        await manager.settled()
        assert (await cluster.agent()).metadata.owner_references[0].kind == "Rollout"
        assert ("Deployment/billing", "Warning", reasons.NAME_TAKEN) in cluster.recorded.events
        cluster.memory.remove(rollout())
        await manager.settled()
        assert (await cluster.agent()).metadata.owner_references[0].kind == "Deployment"


async def test_a_rollout_that_takes_its_pods_from_elsewhere_says_what_to_do(cluster: Cluster) -> None:
    spec = {"template": None, "workloadRef": {"kind": "Deployment", "name": "other"}}
    cluster.declare(rollout(spec=spec), service())
    async with cluster.operated(argo_rollouts=True):
        assert await cluster.ready() == ("False", reasons.WORKLOAD_UNSUPPORTED)


async def test_workloads_of_other_kinds_than_asked_for_are_left_alone(cluster: Cluster) -> None:
    cluster.declare(deployment(), rollout("other"), service())
    async with cluster.operated(workloads=False):
        assert await cluster.is_gone()
    async with cluster.operated():
        assert await cluster.store.get("Agent", "default", "other") is None


async def test_faults_of_the_store_are_retried_until_all_is_well(cluster: Cluster) -> None:
    cluster.declare(deployment(), service(), WEB)
    cluster.seen.fail("apply", 4)
    cluster.seen.fail("update_status", 4)
    async with cluster.operated():
        assert await cluster.ready() == ("True", reasons.DISCOVERED)
        assert await cluster.status() is ResolveStatus.RESOLVED


async def test_a_thousand_silent_agents_do_not_keep_another_from_being_asked(cluster: Cluster) -> None:
    cluster.agents.delay = 5
    for number in range(1000):
        labels = {"app": f"silent-{number}"}
        cluster.declare(deployment(f"silent-{number}", labels=labels), service(f"silent-{number}", selector=labels))
        cluster.agents.fail(f"http://silent-{number}.default.svc.cluster.local:8080")
    async with cluster.manager(documents=cluster.agents, workloads=True):
        await asyncio.sleep(1000)
        cluster.declare(deployment(), service())
        await asyncio.sleep(400)
        assert await cluster.ready() == ("True", reasons.DISCOVERED)
