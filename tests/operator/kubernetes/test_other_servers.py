"""Servers that are not as the shared one: one that cannot stream lists, one whose CRDs go and come back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from lmos.operator.base import ALL_NAMESPACES
from lmos.operator.cache import Cache, Informer
from lmos.operator.kubernetes.connect import connect
from lmos.operator.kubernetes.store import KubernetesStore
from lmos.resources.agent import Agent, AgentSpec
from lmos.resources.base import ObjectMeta
from lmos.resources.crds import crds_yaml
from tests.cluster.plugin import StartCluster
from tools.testcluster import API, API_SERVER

pytestmark = pytest.mark.anyio


def agent(number: int, description: str = "") -> Agent:
    return Agent(metadata=ObjectMeta(name=f"a{number:04}"), spec=AgentSpec(description=description))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - a real server sets no event
            await asyncio.sleep(0.05)


async def test_a_server_that_cannot_stream_is_listed_in_chunks(new_cluster: StartCluster) -> None:
    flags = {API: ["--feature-gates=WatchList=false"]}
    cluster = new_cluster(parts=API_SERVER, crds=[crds_yaml()], flags=flags)
    async with connect(kubeconfig=str(cluster.kubeconfig())) as client:
        store = KubernetesStore(client)
        names = iter(range(510))

        async def fill() -> None:
            for number in names:
                await store.apply(agent(number), field_manager="test")

        await asyncio.gather(*[fill() for _ in range(16)])
        listing = await store.list("Agent", ALL_NAMESPACES)
        assert [found.metadata.name for found in listing.items] == [f"a{number:04}" for number in range(510)]
        written = await store.apply(agent(0, "new"), field_manager="test")
        events = store.watch("Agent", ALL_NAMESPACES, listing.resource_version)
        event = await anext(events)
        await events.aclose()
        assert (event.type, event.resource) == ("modified", written)


async def test_an_informer_outlives_its_crd(new_cluster: StartCluster) -> None:
    cluster = new_cluster(parts=API_SERVER, crds=[crds_yaml()])
    async with connect(kubeconfig=str(cluster.kubeconfig())) as client:
        store, cache = KubernetesStore(client), Cache(Agent)
        gone: list[str] = []

        def changed(old: Agent | None, new: Agent | None) -> None:
            if old is not None and new is None:
                gone.append(old.metadata.name)

        informer = Informer(store, cache, ALL_NAMESPACES, changed)
        running = asyncio.create_task(informer.run())
        await store.apply(agent(1), field_manager="test")
        await until(lambda: len(cache) == 1)

        crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/agents.lmos.eclipse"
        await client.delete(crd)
        await until(lambda: gone == ["a0001"] and not informer.connected)

        await asyncio.to_thread(cluster.install, [crds_yaml()])
        again = await store.apply(agent(2), field_manager="test")
        await until(lambda: cache.get(("default", "a0002")) == again and informer.connected)
        assert cache.names() == (("default", "a0002"),)
        running.cancel()
        await asyncio.wait((running,))
