"""What all indices share: checks of what comes in, and the ids of entries that Eclipse LMOS uses. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import md5
from uuid import UUID

import numpy as np

from lmos.encoders.base import Vectors
from lmos.router.base import IndexEntry

__all__ = ["entry_id", "java_hash", "name_uuid", "other_size", "unit_rows"]


def unit_rows(entries: Sequence[IndexEntry], vectors: Vectors) -> Vectors:
    """The rows of `vectors`, one for each of `entries`, at unit length; zero rows stay zero.

    Raises `ValueError` when there are not as many rows as entries.
    """
    if vectors.ndim != 2 or len(vectors) != len(entries):
        raise ValueError(f"{len(entries)} entries came with vectors of shape {vectors.shape}: give one row for each")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


def other_size(collection: str, size: int, given: int) -> ValueError:
    """The error for vectors of another encoder than the collection's."""
    return ValueError(
        f"Collection {collection!r} holds vectors of {size} dimensions, not {given}: use one encoder for a collection"
    )


def entry_id(agent_id: str, capability_id: str, example: str) -> str:
    """The id that Eclipse LMOS gives to an example in a shared index."""
    return str(name_uuid(f"{agent_id}::{capability_id}::{java_hash(example)}"))


def name_uuid(text: str) -> UUID:
    """Java's `UUID.nameUUIDFromBytes` of UTF-8 text: version 3 without a namespace."""
    return UUID(bytes=md5(text.encode(), usedforsecurity=False).digest(), version=3)


def java_hash(text: str) -> int:
    """Java's `String.hashCode`: over UTF-16 code units, as a signed number of 32 bits."""
    units = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for position in range(0, len(units), 2):
        value = (31 * value + (units[position] << 8 | units[position + 1])) & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
