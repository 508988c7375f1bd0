"""`QdrantIndex`: an index in Qdrant, laid out as Eclipse LMOS's classifier lays it out, so that both can share it.

Collection `{tenant}-{channel}-{subset}`, cosine; point ids and payload keys are the original's, with two keys more. The
original's collections have 1,024 dimensions: to share one, use an encoder of that size.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import numpy as np
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException

from lmos.encoders.base import Vectors
from lmos.router.base import IndexEntry, IndexHit, IndexUnavailable
from lmos.router.index_rows import name_uuid, other_size, unit_rows

__all__ = ["QdrantIndex"]

_PAGE: Final = 1000
_BATCH: Final = 256
_MOST_TIES: Final = 10_000

# Payload key of each field of an entry. The last three are ours: the original ignores what it does not know.
_KEYS: Final = {
    "agent_id": "agentId",
    "agent": "agentName",
    "address": "agentAddress",
    "capability_id": "capabilityId",
    "description": "capabilityDescription",
    "text": "capabilityExample",
    "capability": "capabilityName",
    "encoder": "encoder",
}
_ENTRY_ID: Final = "entryId"
"""For entries whose id is no UUID, as Qdrant's must be."""


class QdrantIndex:
    """Collections of one Qdrant server. It takes the client over and closes it."""

    def __init__(self, client: AsyncQdrantClient, where: str) -> None:
        """`where` names the server in errors."""
        self._client = client
        self._where = where

    @classmethod
    def at(cls, url: str, *, api_key: str | None = None) -> QdrantIndex:
        """The server at `url` (`http://host:6333`). Connects to nothing yet."""
        return cls(AsyncQdrantClient(url=url, api_key=api_key, check_compatibility=False), url)

    @classmethod
    def local(cls) -> QdrantIndex:
        """Inside of this process, without a server: for tests and trials."""
        return cls(AsyncQdrantClient(":memory:"), "this process")

    async def upsert(self, collection: str, entries: Sequence[IndexEntry], vectors: Vectors) -> None:
        """Raises `ValueError` when `vectors` does not fit `entries` or the collection's dimensions."""
        units = unit_rows(entries, vectors)
        with _faults(self._where):
            await self._ensure(collection, vectors.shape[1])
            for start in range(0, len(entries), _BATCH):
                points = [
                    models.PointStruct(id=_point(entry.id), vector=unit.tolist(), payload=_payload(entry))
                    for entry, unit in zip(entries[start : start + _BATCH], units[start : start + _BATCH], strict=True)
                ]
                await self._client.upsert(collection, points, wait=True)

    async def remove(self, collection: str, ids: Sequence[str]) -> None:
        with _faults(self._where):
            if ids and await self._client.collection_exists(collection):
                points: list[int | str | UUID] = [_point(entry_id) for entry_id in ids]
                await self._client.delete(collection, models.PointIdsList(points=points), wait=True)

    async def search(self, collection: str, vector: Vectors, k: int) -> list[IndexHit]:
        if k < 1:
            return []
        norm = float(np.linalg.norm(vector))
        if not norm:
            return [IndexHit(entry, 0.0) for entry in (await self.entries(collection))[:k]]
        with _faults(self._where):
            size = await self._size(collection)
            if size is None:
                return []
            if size != len(vector):
                raise other_size(collection, size, len(vector))
            hits = await self._nearest(collection, (vector / norm).tolist(), k)
        return sorted(hits, key=lambda hit: (-hit.score, hit.entry.id))[:k]

    async def _nearest(self, collection: str, vector: list[float], k: int) -> list[IndexHit]:
        """The `k` nearest and all that tie with the last of them: the server breaks ties as it likes."""
        limit = k + 1
        while True:
            found = await self._client.query_points(collection, query=vector, limit=limit, with_payload=True)
            hits = [IndexHit(_entry(point.id, point.payload or {}), point.score) for point in found.points]
            if len(hits) < limit or hits[-1].score < hits[k - 1].score or limit > _MOST_TIES:
                return hits
            limit *= 2

    async def entries(self, collection: str) -> list[IndexEntry]:
        found: list[IndexEntry] = []
        with _faults(self._where):
            if not await self._client.collection_exists(collection):
                return []
            offset: Any = None
            while True:
                records, offset = await self._client.scroll(collection, limit=_PAGE, offset=offset, with_payload=True)
                found += [_entry(record.id, record.payload or {}) for record in records]
                if offset is None:
                    return sorted(found, key=lambda entry: entry.id)

    async def aclose(self) -> None:
        await self._client.close()

    async def _size(self, collection: str) -> int | None:
        """Length of the vectors of a collection, `None` when there is none. Raises `IndexUnavailable`."""
        if not await self._client.collection_exists(collection):
            return None
        vectors = (await self._client.get_collection(collection)).config.params.vectors
        if not isinstance(vectors, models.VectorParams):
            raise IndexUnavailable(f"Collection {collection!r} at {self._where} has named vectors: use one without")
        return vectors.size

    async def _ensure(self, collection: str, size: int) -> None:
        """Create the collection, again when it is empty and of another size. Raises `ValueError` when it is not."""
        known = await self._size(collection)
        if known == size:
            return
        if known is not None:
            if (await self._client.count(collection)).count:
                raise other_size(collection, known, size)
            await self._client.delete_collection(collection)
        parameters = models.VectorParams(size=size, distance=models.Distance.COSINE)
        await self._client.create_collection(collection, vectors_config=parameters)


@contextmanager
def _faults(where: str) -> Generator[None]:
    """Turns the client's exceptions into `IndexUnavailable`."""
    try:
        yield
    except (ApiException, QdrantException) as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise IndexUnavailable(f"The Qdrant server at {where} failed: {cause}") from error


def _point(entry_id: str) -> str:
    """The point of an entry: its own id where that is a UUID in the usual form, else one made of it."""
    return entry_id if _is_uuid(entry_id) else str(name_uuid(entry_id))


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _payload(entry: IndexEntry) -> dict[str, str]:
    payload = {key: getattr(entry, field) for field, key in _KEYS.items()}
    payload["agentId"] = entry.agent_id or entry.agent
    payload["capabilityId"] = entry.capability_id or entry.capability
    return payload if _is_uuid(entry.id) else {**payload, _ENTRY_ID: entry.id}


def _entry(point: object, payload: Mapping[str, Any]) -> IndexEntry:
    """An entry from its payload; one that the original wrote has the capability's id for a name."""
    fields = {field: str(payload.get(key, "")) for field, key in _KEYS.items()}
    for name, known_elsewhere in (("agent", "agent_id"), ("capability", "capability_id")):
        fields[name] = fields[name] or fields[known_elsewhere]
        if fields[known_elsewhere] == fields[name]:
            fields[known_elsewhere] = ""
    return IndexEntry(id=str(payload.get(_ENTRY_ID, point)), **fields)
