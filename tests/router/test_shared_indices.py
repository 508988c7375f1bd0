"""What only the shared indices have: the layout that others read, and servers that fail."""

from __future__ import annotations

import numpy as np
import pytest
from qdrant_client import AsyncQdrantClient, models

from lmos.router.base import IndexEntry, IndexUnavailable
from lmos.router.index_rows import entry_id
from lmos.router.indices import index_at
from lmos.router.numpy_index import NumpyIndex
from lmos.router.pgvector_index import PgVectorIndex
from lmos.router.qdrant_index import QdrantIndex

pytestmark = pytest.mark.anyio

UNIT = np.array([[1.0, 0.0]], np.float32)
NOWHERE = "127.0.0.1:1"


async def test_a_point_in_qdrant_is_laid_out_as_eclipse_lmos_lays_it_out() -> None:
    client = AsyncQdrantClient(":memory:")
    index = QdrantIndex(client, "here")
    own = entry_id("b-1", "view-bill", "how much")
    entry = IndexEntry(
        own, "billing", "view-bill", "how much", "b-1", "", "billing.default.svc", "Shows bills", "static"
    )
    await index.upsert("acme-web-stable", [entry], UNIT)
    (point,), _ = await client.scroll("acme-web-stable", with_payload=True)
    assert point.id == "7b2c7b1e-aac5-364b-b015-7874821cfaa3"  # as Java makes it
    assert point.payload == {
        "agentId": "b-1",
        "agentName": "billing",
        "agentAddress": "billing.default.svc",
        "capabilityId": "view-bill",
        "capabilityDescription": "Shows bills",
        "capabilityExample": "how much",
        "capabilityName": "view-bill",
        "encoder": "static",
    }
    vectors = (await client.get_collection("acme-web-stable")).config.params.vectors
    assert isinstance(vectors, models.VectorParams)
    assert (vectors.size, vectors.distance) == (2, models.Distance.COSINE)
    await index.aclose()


async def test_a_point_that_eclipse_lmos_wrote_is_read() -> None:
    client = AsyncQdrantClient(":memory:")
    index = QdrantIndex(client, "here")
    await client.create_collection(
        "a-b-stable", vectors_config=models.VectorParams(size=2, distance=models.Distance.COSINE)
    )
    own = entry_id("b-1", "c-1", "how much")
    payload = {
        "agentId": "b-1",
        "agentName": "billing",
        "agentAddress": "billing.default.svc.cluster.local",
        "capabilityId": "c-1",
        "capabilityDescription": "Shows bills",
        "capabilityExample": "how much",
    }
    await client.upsert("a-b-stable", [models.PointStruct(id=own, vector=[1.0, 0.0], payload=payload)])
    (hit,) = await index.search("a-b-stable", UNIT[0], 3)
    assert hit.entry == IndexEntry(
        own, "billing", "c-1", "how much", "b-1", "", "billing.default.svc.cluster.local", "Shows bills"
    )
    await index.aclose()


@pytest.mark.parametrize("url", [f"postgresql://lmos:secret@{NOWHERE}/x", f"http://{NOWHERE}"])
async def test_a_server_that_is_not_there_is_named_without_its_password(url: str) -> None:
    index = index_at(url)
    with pytest.raises(IndexUnavailable, match=r"127\.0\.0\.1:1.* failed: ") as caught:
        await index.search("a", UNIT[0], 1)
    assert "secret" not in str(caught.value)
    await index.aclose()


async def test_two_processes_may_create_the_table_at_once(postgres_url: str) -> None:
    import anyio

    indices = [PgVectorIndex(postgres_url) for _ in range(4)]
    async with anyio.create_task_group() as group:
        for index in indices:
            group.start_soon(index.entries, "a")
    for index in indices:
        await index.aclose()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory:", NumpyIndex),
        ("postgresql://localhost/x", PgVectorIndex),
        ("postgres://localhost/x", PgVectorIndex),
        ("https://qdrant:6333", QdrantIndex),
    ],
)
async def test_the_url_says_which_index_is_meant(url: str, kind: type) -> None:
    index = index_at(url)
    assert isinstance(index, kind)
    await index.aclose()


@pytest.mark.parametrize("url", ["redis://x", "", "qdrant"])
def test_a_url_of_no_index_is_an_error_with_those_there_are(url: str) -> None:
    with pytest.raises(IndexUnavailable, match="postgresql://"):
        index_at(url)
