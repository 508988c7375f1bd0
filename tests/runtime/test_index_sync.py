"""A shared index follows the Agents: added, changed, removed, also what changed while nobody watched."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmos.clock import SystemClock
from lmos.database.engine import Database
from lmos.encoders.base import EncoderError, Vectors
from lmos.operator.sqlite import SqliteStore
from lmos.resources.agent import Agent
from lmos.resources.base import Resource
from lmos.resources.channel import Channel
from lmos.router.base import Index, IndexEntry, IndexUnavailable
from lmos.router.index_rows import entry_id
from lmos.router.numpy_index import NumpyIndex
from lmos.router.pgvector_index import PgVectorIndex
from lmos.router.qdrant_index import QdrantIndex
from lmos.runtime.index_sync import IndexSync

pytestmark = pytest.mark.anyio

WEB = "acme-web-stable"

VARIANTS: dict[str, Callable[[pytest.FixtureRequest], Index]] = {
    "numpy": lambda request: NumpyIndex(),
    "pgvector on a real server": lambda request: PgVectorIndex(request.getfixturevalue("postgres_url")),
    "qdrant in local mode": lambda request: QdrantIndex.local(),
}


class Letters:
    """An encoder of a text's first letters: quick, and every vector differs."""

    def __init__(self, name: str = "letters", dimensions: int = 4) -> None:
        self.name = name
        self.dimensions = dimensions
        self.encoded: list[str] = []
        self.faults = 0

    async def encode(self, texts: Sequence[str]) -> Vectors:
        if self.faults:
            self.faults -= 1
            raise EncoderError("weights are missing")
        self.encoded += texts
        rows = [[float(ord(c)) for c in text.ljust(self.dimensions)[: self.dimensions]] for text in texts]
        vectors = np.array(rows, np.float32).reshape(len(texts), self.dimensions)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(params=VARIANTS)
async def index(request: pytest.FixtureRequest) -> AsyncGenerator[Index]:
    index = VARIANTS[request.param](request)
    yield index
    await index.aclose()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteStore]:
    database = Database.open(tmp_path / "lmos.db", synchronous="normal")
    store = SqliteStore(database, SystemClock())
    yield store
    await store.aclose()
    await database.aclose()


def agent(name: str, *examples: str, subset: str = "stable", tenants: tuple[str, ...] = (), **spec: Any) -> Agent:
    capability = {"name": "view", "version": "1.0.0", "description": "Shows", "examples": examples}
    return Agent.model_validate(
        {
            "metadata": {"name": name, "labels": {"subset": subset}},
            "spec": {
                "supportedTenants": tenants,
                "supportedChannels": ["web"],
                "providedCapabilities": [capability],
                **spec,
            },
        }
    )


def channel(tenant: str = "acme", name: str = "web", subset: str = "stable") -> Channel:
    labels = {"tenant": tenant, "channel": name, "subset": subset}
    metadata = {"name": f"{tenant}-{name}-{subset}", "labels": labels}
    return Channel.model_validate({"metadata": metadata, "spec": {"requiredCapabilities": []}})


async def put(store: SqliteStore, *resources: Resource) -> None:
    for resource in resources:
        await store.apply(resource, field_manager="test")


async def texts(index: Index, collection: str = WEB) -> list[str]:
    return sorted(entry.text for entry in await index.entries(collection))


@asynccontextmanager
async def syncing(store: SqliteStore, index: Index, encoder: Letters | None = None) -> AsyncGenerator[IndexSync]:
    async with IndexSync(store, index, encoder or Letters()) as sync:
        await sync.settled()
        yield sync


async def test_the_examples_of_an_agent_are_found_in_its_channel(store: SqliteStore, index: Index) -> None:
    await put(store, channel(), agent("billing", "how much", "why", id="b-1"))
    encoder = Letters()
    async with syncing(store, index, encoder):
        (vector,) = await encoder.encode(["how much"])
        hits = await index.search(WEB, vector, 5)
    assert hits[0].entry == IndexEntry(
        entry_id("b-1", "view", "how much"),
        "billing",
        "view",
        "how much",
        "b-1",
        "",
        "billing.default.svc.cluster.local",
        "Shows",
        "letters",
    )
    assert [hit.entry.text for hit in hits] == ["how much", "why"]


async def test_agents_that_come_change_and_go_are_followed(store: SqliteStore, index: Index) -> None:
    await put(store, channel())
    async with syncing(store, index) as sync:
        await put(store, agent("billing", "how much"), agent("support", "help"))
        await sync.settled()
        assert await texts(index) == ["help", "how much"]
        await put(store, agent("billing", "how much", "pay"))
        await sync.settled()
        assert await texts(index) == ["help", "how much", "pay"]
        await store.delete("Agent", "default", "support")
        await sync.settled()
        assert await texts(index) == ["how much", "pay"]


async def test_what_changed_while_nobody_watched_is_made_good(store: SqliteStore, index: Index) -> None:
    await put(store, channel(), agent("billing", "how much", "pay"), agent("gone", "bye"))
    async with syncing(store, index):
        pass
    await store.delete("Agent", "default", "gone")
    await put(store, agent("billing", "pay", "new"))
    async with syncing(store, index):
        assert await texts(index) == ["new", "pay"]


async def test_only_what_differs_is_encoded_and_written(store: SqliteStore, index: Index) -> None:
    await put(store, channel(), agent("billing", "how much", "pay"))
    async with syncing(store, index):
        pass
    encoder = Letters()
    async with syncing(store, index, encoder) as sync:
        assert encoder.encoded == []
        await put(store, agent("billing", "how much", "pay", "new"))
        await sync.settled()
    assert encoder.encoded == ["new"]


async def test_a_changed_description_reaches_the_index(store: SqliteStore, index: Index) -> None:
    await put(store, channel(), agent("billing", "how much"))
    async with syncing(store, index) as sync:
        capability = {"name": "view", "version": "1.0.0", "description": "Shows bills", "examples": ["how much"]}
        await put(store, agent("billing", providedCapabilities=[capability]))
        await sync.settled()
        assert [entry.description for entry in await index.entries(WEB)] == ["Shows bills"]


async def test_tenant_channel_and_subset_decide_who_is_in_a_collection(store: SqliteStore, index: Index) -> None:
    await put(
        store,
        channel(),
        channel("globex"),
        channel(subset="canary"),
        agent("everyone", "all"),
        agent("acme-only", "own", tenants=("acme",)),
        agent("new", "next", subset="canary"),
        agent("phone", "call", supportedChannels=["ivr"]),
    )
    async with syncing(store, index):
        assert await texts(index) == ["all", "own"]
        assert await texts(index, "globex-web-stable") == ["all"]
        assert await texts(index, "acme-web-canary") == ["next"]


async def test_an_agent_that_names_tenant_and_channel_needs_no_channel(store: SqliteStore, index: Index) -> None:
    await put(store, agent("phone", "call", tenants=("acme",), supportedChannels=["ivr"]))
    async with syncing(store, index) as sync:
        assert await texts(index, "acme-ivr-stable") == ["call"]
        await put(store, agent("phone", "call", tenants=("acme",), supportedChannels=["web"]))
        await sync.settled()
        assert await texts(index, "acme-ivr-stable") == []
        assert await texts(index) == ["call"]


async def test_a_channel_that_goes_takes_its_entries_along(store: SqliteStore, index: Index) -> None:
    await put(store, channel(), agent("billing", "how much"))
    async with syncing(store, index) as sync:
        await store.delete("Channel", "default", WEB)
        await sync.settled()
        assert await texts(index) == []


async def test_another_encoder_replaces_all_vectors(store: SqliteStore, index: Index) -> None:
    await put(store, channel(), agent("billing", "how much", "pay"))
    async with syncing(store, index):
        pass
    wide = Letters("wide", 6)
    async with syncing(store, index, wide):
        (vector,) = await wide.encode(["pay"])
        assert [hit.entry.text for hit in await index.search(WEB, vector, 1)] == ["pay"]
        assert {entry.encoder for entry in await index.entries(WEB)} == {"wide"}


async def test_collections_of_others_are_left_alone(store: SqliteStore, index: Index) -> None:
    await index.upsert("globex-web-stable", [IndexEntry("x", "theirs", "c", "t")], np.ones((1, 4), np.float32))
    await put(store, channel(), agent("billing", "how much"))
    async with syncing(store, index):
        assert await texts(index, "globex-web-stable") == ["t"]


class Flaky(NumpyIndex):
    """Fails once."""

    faults = 0

    async def upsert(self, collection: str, entries: Sequence[IndexEntry], vectors: Vectors) -> None:
        self.faults += 1
        if self.faults == 1:
            raise IndexUnavailable("the server is down")
        await super().upsert(collection, entries, vectors)


async def test_a_fault_of_the_index_is_tried_again(store: SqliteStore) -> None:
    index = Flaky()
    await put(store, channel(), agent("billing", "how much"))
    async with syncing(store, index):
        assert await texts(index) == ["how much"]
    assert index.faults == 2


async def test_a_fault_of_the_encoder_is_tried_again(store: SqliteStore) -> None:
    index, encoder = NumpyIndex(), Letters()
    encoder.faults = 1
    await put(store, channel(), agent("billing", "how much"))
    async with syncing(store, index, encoder):
        assert await texts(index) == ["how much"]
    assert encoder.faults == 0
