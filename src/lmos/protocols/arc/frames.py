"""Frames of the WebSocket sub-protocol graphql-transport-ws: their names, close codes, and JSON.

orjson rather than json: it refuses what cannot be sent back (lone surrogates, NaN) and nesting without bound, which
json answers with `RecursionError`.
"""

from __future__ import annotations

from typing import Any, Final, cast

import orjson

__all__ = [
    "BAD_FRAME",
    "DUPLICATE_ID",
    "INIT_TIMEOUT",
    "NOT_INITIALISED",
    "SUBPROTOCOL",
    "TOO_BIG",
    "TOO_MANY_INITS",
    "FrameError",
    "encode",
    "parse",
]

SUBPROTOCOL: Final = "graphql-transport-ws"

BAD_FRAME: Final = 4400
NOT_INITIALISED: Final = 4401
INIT_TIMEOUT: Final = 4408
DUPLICATE_ID: Final = 4409
TOO_MANY_INITS: Final = 4429
TOO_BIG: Final = 1009


class FrameError(ValueError):
    """What arrived, or should leave, is no frame; the message says why, in one line."""


def encode(frame: dict[str, Any]) -> bytes:
    """JSON of a frame. Raises `FrameError` for text that has no UTF-8 form."""
    try:
        return orjson.dumps(frame)
    except orjson.JSONEncodeError as error:
        raise FrameError(f"cannot be written as JSON: {error}") from None


def parse(data: str | bytes) -> dict[str, Any]:
    """A frame: a JSON object with a text `type`. Raises `FrameError`."""
    try:
        frame = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FrameError(f"frame is not JSON: {error}") from None
    if not isinstance(frame, dict):
        raise FrameError("frame is not a JSON object")
    members = cast("dict[str, Any]", frame)
    if not isinstance(members.get("type"), str):
        raise FrameError("frame has no text member 'type'")
    return members
