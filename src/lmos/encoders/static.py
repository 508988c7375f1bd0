"""`StaticEncoder`: the default encoder. It averages fixed token vectors: tens of microseconds a text, and no model.

The weights are those of wordllama (MIT), read straight from its wheel: safetensors are mapped into memory, so processes
of one machine share them, and wordllama itself is never imported (measured: 0.05 s of CPU and 16 MB instead of 0.4 s
and 75 MB). A test holds the vectors equal to wordllama's own.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anyio
import anyio.to_thread
import numpy as np
from numpy.typing import NDArray

from lmos.encoders.base import EncoderError, Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["StaticEncoder"]

DIMENSIONS = 256
WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
TENSOR = "embedding.weight"
LENGTH_BYTES = 8

# Below this many characters a batch takes less than a millisecond, which a worker thread would not make better.
INLINE_CHARACTERS = 1500


class StaticEncoder:
    """Mean of token vectors, 256 dimensions. Word order does not count; texts without tokens give the zero vector.

    Large batches are computed in one worker thread, so that the event loop stays free. Weights load on first use.
    """

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(1)

    @property
    def name(self) -> str:
        return "static-l2-supercat-256"

    @property
    def dimensions(self) -> int:
        return DIMENSIONS

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode `texts`. Raises `EncoderError` when the wheel's files are missing or of another shape."""
        if sum(map(len, texts)) <= INLINE_CHARACTERS:
            return self._encode(texts)
        return await anyio.to_thread.run_sync(self._encode, texts, limiter=self._limiter)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        tokens = [text.encode("utf-8", "replace").decode() for text in texts]  # lone surrogates are no text
        for row, encoding in enumerate(self._tokenizer.encode_batch_fast(tokens, add_special_tokens=False)):
            if encoding.ids:
                vectors[row] = self._table[encoding.ids].astype(np.float32).mean(axis=0)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, norms, out=vectors, where=norms > 0)

    @cached_property
    def _folder(self) -> Path:
        spec = find_spec("wordllama")
        if spec is None or not spec.submodule_search_locations:
            raise EncoderError("The static encoder needs the package 'wordllama': pip install wordllama")
        return Path(spec.submodule_search_locations[0])

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        path = self._folder / TOKENIZER
        if not path.is_file():
            raise EncoderError(f"{str(path)!r} is missing: install a wordllama that lmos supports (0.4)")
        return Tokenizer.from_file(str(path))

    @cached_property
    def _table(self) -> NDArray[np.float16]:
        path = self._folder / WEIGHTS
        try:
            return _map_tensor(path, TENSOR, DIMENSIONS)
        except (OSError, ValueError, KeyError, struct.error) as error:
            raise EncoderError(
                f"{str(path)!r} does not hold {TENSOR!r} as float16[n, {DIMENSIONS}] ({error}): "
                "install a wordllama that lmos supports (0.4)"
            ) from error


def _map_tensor(path: Path, name: str, columns: int) -> NDArray[np.float16]:
    """Map one float16 matrix of a safetensors file (8 bytes header length, JSON header, raw data)."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(LENGTH_BYTES))
        header = cast("dict[str, dict[str, object]]", json.loads(file.read(length)))
    tensor = header[name]
    rows, found = cast("list[int]", tensor["shape"])
    if tensor["dtype"] != "F16" or found != columns:
        raise ValueError(f"found {tensor['dtype']}{tensor['shape']}")
    start = LENGTH_BYTES + length + cast("list[int]", tensor["data_offsets"])[0]
    return np.memmap(path, dtype=np.float16, mode="r", offset=start, shape=(rows, columns))
