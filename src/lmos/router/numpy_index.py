"""`NumpyIndex`: exact cosine search in memory. The default index; shared ones stand behind the same port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lmos.encoders.base import Vectors
from lmos.router.base import IndexEntry, IndexHit
from lmos.router.index_rows import other_size, unit_rows

__all__ = ["NumpyIndex"]


@dataclass(slots=True)
class _Collection:
    rows: dict[str, tuple[IndexEntry, Vectors]] = field(default_factory=dict[str, tuple[IndexEntry, Vectors]])
    ids: list[str] = field(default_factory=list[str])
    matrix: Vectors | None = None  # rows of `ids`, ascending; rebuilt by the first search after a change


class NumpyIndex:
    """Scans all vectors of a collection: 0.1 ms for 3,000 of 384 dimensions. For one event loop."""

    def __init__(self) -> None:
        self._collections: dict[str, _Collection] = {}

    async def upsert(self, collection: str, entries: Sequence[IndexEntry], vectors: Vectors) -> None:
        """Raises `ValueError` when `vectors` does not fit `entries` or the collection's dimensions."""
        unit = unit_rows(entries, vectors)
        found = self._collections.setdefault(collection, _Collection())
        size = next((len(vector) for _, vector in found.rows.values()), vectors.shape[1])
        if size != vectors.shape[1]:
            raise other_size(collection, size, vectors.shape[1])
        found.rows.update({entry.id: (entry, row) for entry, row in zip(entries, unit, strict=True)})
        found.matrix = None

    async def remove(self, collection: str, ids: Sequence[str]) -> None:
        found = self._collections.get(collection)
        if found is not None:
            for entry_id in ids:
                found.rows.pop(entry_id, None)
            found.matrix = None

    async def search(self, collection: str, vector: Vectors, k: int) -> list[IndexHit]:
        found = self._collections.get(collection)
        if found is None or not found.rows or k < 1:
            return []
        if found.matrix is None:
            found.ids = sorted(found.rows)
            found.matrix = np.stack([found.rows[entry_id][1] for entry_id in found.ids])
        if len(vector) != found.matrix.shape[1]:
            raise other_size(collection, found.matrix.shape[1], len(vector))
        norm = float(np.linalg.norm(vector))
        scores = found.matrix @ (vector / norm if norm else vector)
        best = np.argsort(-scores, kind="stable")[:k]  # stable on ascending ids: ties come by id
        return [IndexHit(found.rows[found.ids[row]][0], float(scores[row])) for row in best]

    async def entries(self, collection: str) -> list[IndexEntry]:
        found = self._collections.get(collection)
        return [] if found is None else [found.rows[entry_id][0] for entry_id in sorted(found.rows)]

    async def aclose(self) -> None:
        """Nothing is held open."""
