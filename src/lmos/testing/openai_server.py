"""`FakeOpenAI`: an OpenAI-compatible server on a real socket that answers what the test says.

    async with FakeOpenAI(["Hello.", HttpError(429)]) as server:
        model = model_named(server.model)

It serves `/v1/chat/completions` (streamed or not), `/v1/embeddings` and `/v1/models`, and records what it was asked.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, cast

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lmos.encoders.base import Encoder, Vectors
from lmos.testing.faults import Garbage, HttpError
from lmos.testing.loopback import serving
from lmos.testing.models import Calls, streamed

__all__ = ["FakeOpenAI", "Recorded", "Slow"]

_MODEL: Final = "fake"
_DIMENSIONS: Final = 64
_CREATED: Final = 1_700_000_000


@dataclass(frozen=True)
class Slow:
    """`answer` after `seconds` of real time."""

    answer: str | Calls | HttpError | Garbage
    seconds: float


@dataclass(frozen=True)
class Recorded:
    """One request: path, headers (lower-case names) and JSON body."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class FakeOpenAI:
    """Answers chat completions in the order of `script`, then with `default`; without one it answers 500.

    Embeddings are those of `encoder`, or else unit vectors of 64 dimensions that depend on the text alone.
    `requests` holds what came in, `url` is the base URL (`http://127.0.0.1:port/v1`), `model` the name for
    `model_named`.
    """

    def __init__(
        self,
        script: Sequence[str | Calls | HttpError | Garbage | Slow] = (),
        *,
        default: str | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        self._script = list(script)
        self._default = default
        self._encoder = encoder
        self._running: AbstractAsyncContextManager[str] | None = None
        self.requests: list[Recorded] = []
        self.url = ""
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/embeddings", self._embeddings, methods=["POST"]),
                Route("/v1/models", self._models),
            ]
        )

    @property
    def model(self) -> str:
        """What to give to `model_named` or the setting `model`."""
        return f"{self.url}#{_MODEL}"

    async def __aenter__(self) -> Self:
        self._running = serving(self.app)
        self.url = f"{await self._running.__aenter__()}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._running is not None:
            await self._running.__aexit__(kind, error, traceback)

    async def _record(self, request: Request) -> Mapping[str, Any]:
        body = cast("Mapping[str, Any]", await request.json())
        self.requests.append(Recorded(request.url.path, dict(request.headers), body))
        return body

    async def _chat(self, request: Request) -> Response:
        body = await self._record(request)
        answer = self._script.pop(0) if self._script else self._default
        if isinstance(answer, Slow):
            await asyncio.sleep(answer.seconds)
            answer = answer.answer
        if answer is None:
            return _error(HttpError(500, "the script of FakeOpenAI has no more answers"))
        if isinstance(answer, HttpError):
            return _error(answer)
        streamed = body.get("stream") is True
        if isinstance(answer, Garbage):
            return Response(answer.text, media_type="text/event-stream" if streamed else "application/json")
        if streamed:
            return StreamingResponse(_chunks(answer, len(self.requests), body), media_type="text/event-stream")
        return JSONResponse(_completion(answer, len(self.requests), body))

    async def _embeddings(self, request: Request) -> Response:
        body = await self._record(request)
        given = body.get("input", [])
        texts = [given] if isinstance(given, str) else cast("list[str]", given)
        vectors = await self._encoder.encode(texts) if self._encoder else _hashed(texts)
        as_base64 = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(row.astype("<f4").tobytes()).decode() if as_base64 else row.tolist(),
            }
            for index, row in enumerate(vectors)
        ]
        tokens = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return JSONResponse({"object": "list", "model": body.get("model", _MODEL), "data": data, "usage": usage})

    async def _models(self, _: Request) -> Response:
        entry = {"id": _MODEL, "object": "model", "created": _CREATED, "owned_by": "lmos"}
        return JSONResponse({"object": "list", "data": [entry]})


def _error(error: HttpError) -> Response:
    headers = {} if error.retry_after is None else {"retry-after": f"{error.retry_after:g}"}
    body = {"error": {"message": error.message, "type": "scripted", "code": None, "param": None}}
    return JSONResponse(body, status_code=error.status, headers=headers)


def _parts(answer: str | Calls, number: int) -> tuple[str, list[dict[str, Any]]]:
    """Text and tool calls of an answer, the calls in OpenAI's shape."""
    if isinstance(answer, str):
        return answer, []
    calls = [
        {
            "id": f"call-{number}-{position}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(dict(arguments))},
        }
        for position, (name, arguments) in enumerate(answer.calls)
    ]
    return answer.text, calls


def _usage(text: str, body: Mapping[str, Any]) -> dict[str, int]:
    prompt, completion = len(json.dumps(body.get("messages", []))) // 4, len(text.split())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _completion(answer: str | Calls, number: int, body: Mapping[str, Any]) -> dict[str, Any]:
    text, calls = _parts(answer, number)
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = calls
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": _CREATED,
        "model": body.get("model", _MODEL),
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
        "usage": _usage(text, body),
    }


async def _chunks(answer: str | Calls, number: int, body: Mapping[str, Any]) -> AsyncIterator[str]:
    """The answer as server-sent events: text word by word, each tool call in two pieces, usage, `[DONE]`."""
    text, calls = _parts(answer, number)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in streamed(text)]
    for index, call in enumerate(calls):
        arguments = call["function"]["arguments"]
        half = len(arguments) // 2
        first = {**call, "index": index, "function": {"name": call["function"]["name"], "arguments": arguments[:half]}}
        deltas += [{"tool_calls": [first]}]
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": arguments[half:]}}]}]
    head = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": body.get("model", _MODEL),
    }
    for delta in deltas:
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    reason = "tool_calls" if calls else "stop"
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    yield _event({**head, "choices": [], "usage": _usage(text, body)})
    yield "data: [DONE]\n\n"


def _event(data: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _hashed(texts: Sequence[str]) -> Vectors:
    """Unit vectors that depend on the text alone; different texts are nearly at right angles."""
    rows = [
        np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])).normal(size=_DIMENSIONS)
        for text in texts
    ]
    vectors = np.array(rows, np.float32).reshape(len(texts), _DIMENSIONS)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
