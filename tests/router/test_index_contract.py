"""What every index promises. Add a variant to `VARIANTS` when you write one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmos.encoders.base import Vectors
from lmos.router.base import Index, IndexEntry
from lmos.router.numpy_index import NumpyIndex
from lmos.router.pgvector_index import PgVectorIndex
from lmos.router.qdrant_index import QdrantIndex

pytestmark = pytest.mark.anyio

Factory = Callable[[pytest.FixtureRequest], Index]


def pgvector(request: pytest.FixtureRequest) -> Index:
    return PgVectorIndex(request.getfixturevalue("postgres_url"))


VARIANTS: dict[str, Factory] = {
    "numpy": lambda request: NumpyIndex(),
    "pgvector on a real server": pgvector,
    # No server: the registries have none. The local mode has the client's own code between us and NumPy.
    "qdrant in local mode": lambda request: QdrantIndex.local(),
}

A = IndexEntry("1", "billing", "view-bill", "how much is my bill")
B = IndexEntry("2", "contract", "view-contract", "when does my contract end")
C = IndexEntry("3", "support", "report-fault", "my internet is down")
FULL = IndexEntry(
    "8f14e45f-ceea-367a-9a36-dedd4bea2543",
    "billing",
    "view-bill",
    "wie hoch ist meine Rechnung? 🔥",
    agent_id="b-1",
    capability_id="c-1",
    address="billing.default.svc.cluster.local",
    description="Shows bills; 'quoted', \"doubly\".",
    encoder="static",
)


def rows(*values: tuple[float, ...]) -> Vectors:
    return np.array(values, np.float32)


@pytest.fixture(params=VARIANTS)
async def index(request: pytest.FixtureRequest) -> AsyncGenerator[Index]:
    index = VARIANTS[request.param](request)
    await index.upsert("acme-web-stable", [B, A, C], rows((0, 1, 0), (1, 0, 0), (0.6, 0.8, 0)))
    yield index
    await index.aclose()


async def test_the_nearest_come_first_with_their_cosine(index: Index) -> None:
    hits = await index.search("acme-web-stable", rows((2, 0, 0))[0], k=2)
    assert [hit.entry for hit in hits] == [A, C]
    assert [hit.score for hit in hits] == pytest.approx([1.0, 0.6])


async def test_ties_come_by_id(index: Index) -> None:
    twins = [IndexEntry(f"t{n}", "x", "x", "x") for n in (3, 1, 2)]
    await index.upsert("ties", twins, rows(*[(1.0, 1.0)] * 3))
    assert [hit.entry.id for hit in await index.search("ties", rows((1, 1))[0], 3)] == ["t1", "t2", "t3"]


async def test_an_entry_with_a_known_id_replaces_it(index: Index) -> None:
    moved = IndexEntry("1", "billing", "pay-bill", "pay my bill")
    await index.upsert("acme-web-stable", [moved], rows((0, 0, 1)))
    assert (await index.search("acme-web-stable", rows((0, 0, 1))[0], 1))[0].entry == moved
    assert len(await index.search("acme-web-stable", rows((0, 0, 1))[0], 10)) == 3


async def test_a_removed_entry_is_not_found_and_unknown_ids_are_ignored(index: Index) -> None:
    await index.remove("acme-web-stable", ["1", "unknown"])
    await index.remove("no-such-collection", ["1"])
    hits = await index.search("acme-web-stable", rows((1, 0, 0))[0], 10)
    assert [hit.entry.id for hit in hits] == ["3", "2"]


async def test_collections_do_not_see_each_other(index: Index) -> None:
    assert await index.search("globex-web-stable", rows((1, 0, 0))[0], 5) == []


async def test_the_zero_vector_finds_entries_with_score_zero(index: Index) -> None:
    assert {hit.score for hit in await index.search("acme-web-stable", rows((0, 0, 0))[0], 5)} == {0.0}


async def test_entries_without_their_vectors_are_refused(index: Index) -> None:
    with pytest.raises(ValueError, match="2 entries came with vectors of shape"):
        await index.upsert("acme-web-stable", [A, B], rows((1, 0, 0)))


async def test_vectors_of_another_encoder_are_refused(index: Index) -> None:
    with pytest.raises(ValueError, match="holds vectors of 3 dimensions, not 2"):
        await index.upsert("acme-web-stable", [A], rows((1, 0)))


async def test_all_entries_are_listed_by_id(index: Index) -> None:
    assert await index.entries("acme-web-stable") == [A, B, C]
    assert await index.entries("no-such-collection") == []


async def test_every_field_of_an_entry_comes_back(index: Index) -> None:
    await index.upsert("full", [FULL], rows((1, 0)))
    assert await index.entries("full") == [FULL]
    assert (await index.search("full", rows((1, 0))[0], 1))[0].entry == FULL


async def test_an_emptied_collection_takes_vectors_of_another_encoder(index: Index) -> None:
    await index.remove("acme-web-stable", ["1", "2", "3"])
    await index.upsert("acme-web-stable", [A], rows((1, 0)))
    assert [hit.entry for hit in await index.search("acme-web-stable", rows((1, 0))[0], 5)] == [A]


async def test_ties_at_the_end_of_the_result_come_by_id(index: Index) -> None:
    twins = [IndexEntry(f"t{n:02}", "x", "x", "x") for n in range(40, 0, -1)]
    await index.upsert("ties", twins, rows(*[(1.0, 1.0)] * 40))
    assert [hit.entry.id for hit in await index.search("ties", rows((1, 1))[0], 2)] == ["t01", "t02"]


async def test_nothing_to_add_or_remove_or_find_is_nothing(index: Index) -> None:
    await index.upsert("acme-web-stable", [], np.zeros((0, 3), np.float32))
    await index.remove("acme-web-stable", [])
    assert await index.search("acme-web-stable", rows((1, 0, 0))[0], 0) == []
    assert len(await index.entries("acme-web-stable")) == 3


async def test_a_search_with_a_vector_of_another_encoder_is_refused(index: Index) -> None:
    with pytest.raises(ValueError, match="holds vectors of 3 dimensions, not 2"):
        await index.search("acme-web-stable", rows((1, 0))[0], 1)


@given(st.lists(st.tuples(*[st.integers(-9, 9)] * 3).filter(any), min_size=1, max_size=30), st.integers(1, 8))
def test_the_search_equals_a_sort_of_all_cosines(values: list[tuple[int, ...]], k: int) -> None:
    import asyncio

    async def search() -> list[float]:
        index = NumpyIndex()
        entries = [IndexEntry(f"{n:03}", "a", "c", "t") for n in range(len(values))]
        await index.upsert("x", entries, np.array(values, np.float32))
        return [hit.score for hit in await index.search("x", query, k)]

    query = np.array([1, 2, 3], np.float32)
    expected = sorted(float(np.dot(v, query) / np.linalg.norm(v) / np.linalg.norm(query)) for v in values)[::-1]
    assert asyncio.run(search()) == pytest.approx(expected[:k], abs=1e-5)
