"""Encoders by name: what `--encoder` and settings say. Building one loads nothing heavy until it is used."""

from __future__ import annotations

from collections.abc import Callable

from lmos.encoders.base import Encoder, EncoderError

__all__ = ["ENCODERS", "encoder_named"]


def _static() -> Encoder:
    from lmos.encoders.static import StaticEncoder

    return StaticEncoder()


ENCODERS: dict[str, Callable[[], Encoder]] = {"static": _static}


def encoder_named(name: str) -> Encoder:
    """A new encoder. Raises `EncoderError` that lists the known names."""
    build = ENCODERS.get(name)
    if build is None:
        raise EncoderError(f"There is no encoder {name!r}: use one of {', '.join(sorted(ENCODERS))}")
    return build()
