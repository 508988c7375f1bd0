"""`OnnxEncoder`: a sentence model on the CPU, by onnxruntime. The package `lmos-minilm` ships one; others come by path.

Texts are run one by one: int8 models scale activations by batch, so a text's vector would depend on its neighbours, and
a decision on who else was encoded. Batches use several cores by running several texts at once instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread
import numpy as np
from numpy.typing import NDArray

from lmos.encoders.base import EncoderError, Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["OnnxEncoder", "minilm_folder"]

PACKAGE = "lmos_minilm"
TOKENIZER = "tokenizer.json"
MOST_TOKENS = 128
INSTALL = "install LMOS with the extra 'onnx' and the package 'lmos-minilm'"

Run = Callable[[list[str], dict[str, NDArray[np.int64]]], list[NDArray[np.float32]]]


def minilm_folder() -> Path | None:
    """Where the package `lmos-minilm` keeps its files; `None` when it or onnxruntime is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations or find_spec("onnxruntime") is None:
        return None
    return Path(spec.submodule_search_locations[0])


class OnnxEncoder:
    """The one `*.onnx` model and the `tokenizer.json` of a folder, computed in worker threads. Loads on first use.

    The model takes token ids and a mask (and token types, where it wants them). It gives sentence vectors `[1, d]`, or
    token vectors `[1, t, d]`, which are averaged.
    """

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self._folder = folder
        self._threads = threads or min(4, os.cpu_count() or 1)
        self._limiter = anyio.CapacityLimiter(self._threads)

    @property
    def name(self) -> str:
        """`onnx-` and the first 12 hex digits of the SHA-256 of the weights."""
        return f"onnx-{self._hash[:12]}"

    @property
    def dimensions(self) -> int:
        return self._size

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode `texts`: 4 ms each for MiniLM. Raises `EncoderError` when a file is missing or cannot be read."""
        return await anyio.to_thread.run_sync(self._encode, texts, limiter=self._limiter)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        if len(texts) <= 1 or self._threads == 1:
            rows = [self._encode_one(text) for text in texts]
        else:
            with ThreadPoolExecutor(self._threads, thread_name_prefix="lmos-onnx") as pool:
                rows = list(pool.map(self._encode_one, texts))
        return np.stack(rows) if rows else np.zeros((0, self.dimensions), np.float32)

    def _encode_one(self, text: str) -> Vectors:
        clean = text.encode("utf-8", "replace").decode()  # lone surrogates are no text
        ids = np.array([self._tokenizer.encode(clean).ids], np.int64)
        inputs = {name: fill(ids) for name, fill in self._fillers.items()}
        vector = self._run([self._output], inputs)[0][0]
        if vector.ndim == 2:
            vector = vector.mean(axis=0)
        norm = float(np.linalg.norm(vector))
        blank = not clean.strip()  # a model gives its own start and end signs a vector; no text is no direction
        return np.zeros_like(vector) if blank or norm == 0 else (vector / norm).astype(np.float32)

    @cached_property
    def _hash(self) -> str:
        return sha256(self._model.read_bytes()).hexdigest()

    @cached_property
    def _size(self) -> int:
        return len(self._encode_one("size"))

    @cached_property
    def _model(self) -> Path:
        found = sorted(self._folder.glob("*.onnx"))
        if len(found) != 1:
            names = ", ".join(path.name for path in found) or "none"
            raise EncoderError(f"{str(self._folder)!r} must hold one .onnx file, it holds {names}: {INSTALL}")
        return found[0]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        path = self._folder / TOKENIZER
        if not path.is_file():
            raise EncoderError(f"{str(path)!r} is missing: give a folder that holds it beside the .onnx file")
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_padding()
        cast("Any", tokenizer).enable_truncation(MOST_TOKENS)
        return tokenizer

    @cached_property
    def _session(self) -> Any:
        if find_spec("onnxruntime") is None:
            raise EncoderError(f"The onnx encoder needs onnxruntime: {INSTALL}")
        runtime: Any = import_module("onnxruntime")  # it ships no types
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Arenas keep the memory of the longest text ever seen, for every thread.
        options.enable_cpu_mem_arena = False
        try:
            return runtime.InferenceSession(str(self._model), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise EncoderError(f"{str(self._model)!r} is not a model that onnxruntime can load: {error}") from error

    @cached_property
    def _run(self) -> Run:
        return cast("Run", self._session.run)

    @cached_property
    def _output(self) -> str:
        return cast("str", self._session.get_outputs()[0].name)

    @cached_property
    def _fillers(self) -> dict[str, Callable[[NDArray[np.int64]], NDArray[np.int64]]]:
        """How each input of the model is made from the token ids."""
        fillers: dict[str, Callable[[NDArray[np.int64]], NDArray[np.int64]]] = {}
        for node in self._session.get_inputs():
            name = cast("str", node.name)
            if "mask" in name:
                fillers[name] = np.ones_like
            elif "type" in name:
                fillers[name] = np.zeros_like
            else:
                fillers[name] = partial(np.asarray, dtype=np.int64)
        return fillers
