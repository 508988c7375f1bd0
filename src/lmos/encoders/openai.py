"""`OpenAIEncoder`: vectors from any server that speaks `/v1/embeddings` (OpenAI, Ollama, vLLM, TEI)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

import httpx2
import numpy as np
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from lmos.encoders.base import EncoderError, Vectors

__all__ = ["OpenAIEncoder"]

BATCH = 256
TIMEOUT = 10.0
MOST_CHARACTERS = 8000
REASON_CHARACTERS = 200


class _Embedding(BaseModel):
    index: int
    embedding: Annotated[list[float], Field(min_length=1)]


class _Embeddings(BaseModel):
    data: list[_Embedding]


_answer: TypeAdapter[_Embeddings] = TypeAdapter(_Embeddings)


class OpenAIEncoder:
    """Asks `{base_url}/embeddings` for `model`, at most `batch` texts a request, `timeout` seconds each.

    `base_url` ends before `/embeddings`, as OpenAI's clients have it (`https://api.openai.com/v1`). An empty text is
    the zero vector and never leaves the machine. `dimensions` is known after the first answer.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        batch: int = BATCH,
        timeout: float = TIMEOUT,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/embeddings"
        self._model = model
        self._batch = batch
        self._timeout = timeout
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = client
        self._dimensions = 0

    @property
    def name(self) -> str:
        return f"openai-{self._model}@{self._url}"

    @property
    def dimensions(self) -> int:
        """0 until the server has answered once."""
        return self._dimensions

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode `texts`. Raises `EncoderError` when the server fails, is slow or answers what does not fit."""
        asked = [row for row, text in enumerate(texts) if text.strip()]
        if not asked:
            if not self._dimensions:
                await self._learn_dimensions()
            return np.zeros((len(texts), self._dimensions), np.float32)
        clean = [texts[row][:MOST_CHARACTERS].encode("utf-8", "replace").decode() for row in asked]
        parts = [await self._request(clean[start : start + self._batch]) for start in range(0, len(clean), self._batch)]
        found = np.concatenate(parts)
        self._dimensions = found.shape[1]
        vectors = np.zeros((len(texts), found.shape[1]), np.float32)
        vectors[asked] = found
        return vectors

    async def _learn_dimensions(self) -> None:
        self._dimensions = (await self._request(["dimensions"])).shape[1]

    async def _request(self, texts: list[str]) -> Vectors:
        body = {"model": self._model, "input": texts, "encoding_format": "float"}
        try:
            if self._client is not None:
                response = await self._client.post(self._url, json=body, headers=self._headers, timeout=self._timeout)
            else:
                async with httpx2.AsyncClient(timeout=self._timeout) as client:
                    response = await client.post(self._url, json=body, headers=self._headers)
        except httpx2.TimeoutException as error:
            raise EncoderError(f"{self._url} did not answer within {self._timeout:g} s") from error
        except httpx2.HTTPError as error:
            raise EncoderError(f"{self._url} cannot be reached ({error}): check the encoder's URL") from error
        if response.status_code != HTTPStatus.OK:
            reason = response.text[:REASON_CHARACTERS]
            raise EncoderError(f"{self._url} answered {response.status_code} for model {self._model!r}: {reason}")
        return self._read(response.content, len(texts))

    def _read(self, content: bytes, count: int) -> Vectors:
        try:
            data = sorted(_answer.validate_json(content).data, key=lambda item: item.index)
        except ValidationError as error:
            raise EncoderError(
                f"{self._url} answered what is no list of embeddings: {error.errors()[0]['msg']}"
            ) from error
        sizes = {len(item.embedding) for item in data}
        if [item.index for item in data] != list(range(count)) or len(sizes) != 1:
            raise EncoderError(
                f"{self._url} answered {len(data)} embeddings of sizes {sorted(sizes)} for {count} texts: "
                "it must give one of the same size for each"
            )
        vectors = np.array([item.embedding for item in data], np.float32)
        if self._dimensions and vectors.shape[1] != self._dimensions:
            raise EncoderError(f"{self._url} changed from {self._dimensions} to {vectors.shape[1]} dimensions")
        if not np.isfinite(vectors).all():
            raise EncoderError(f"{self._url} answered numbers that are not finite")
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
