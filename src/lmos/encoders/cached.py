"""`CachedEncoder`: remembers vectors. The router asks for the same examples again whenever a roster changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from lmos.encoders.base import Encoder, Vectors

__all__ = ["CachedEncoder"]


class CachedEncoder:
    """An encoder with a bounded memory, least recently used first out. Not for use from several threads.

    The key is (name of the encoder, text). At 384 dimensions an entry takes about 1.7 KiB.
    """

    def __init__(self, inner: Encoder, max_entries: int = 20_000) -> None:
        if max_entries < 1:
            raise ValueError(f"max_entries is {max_entries!r}: give at least 1")
        self.inner = inner
        self._max_entries = max_entries
        self._vectors: OrderedDict[tuple[str, str], Vectors] = OrderedDict()

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def dimensions(self) -> int:
        return self.inner.dimensions

    def __len__(self) -> int:
        return len(self._vectors)

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """As the inner encoder; only texts that it has not seen lately reach it, each once."""
        name = self.inner.name
        found: dict[str, Vectors] = {}
        missing: list[str] = []
        for text in dict.fromkeys(texts):
            vector = self._vectors.get((name, text))
            if vector is None:
                missing.append(text)
            else:
                self._vectors.move_to_end((name, text))
                found[text] = vector
        if missing:
            fresh = await self.inner.encode(missing)
            for text, row in zip(missing, fresh, strict=True):
                found[text] = vector = row.copy()  # a view would keep the whole batch alive
                self._vectors[name, text] = vector
            while len(self._vectors) > self._max_entries:
                self._vectors.popitem(last=False)
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        return np.stack([found[text] for text in texts])
