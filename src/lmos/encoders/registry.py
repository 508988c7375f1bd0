"""Encoders by name: what `--encoder` and settings say. Building one loads nothing heavy until it is used."""

from __future__ import annotations

from pathlib import Path

from lmos.encoders.base import Encoder, EncoderError

__all__ = ["encoder_named", "installed_encoders"]

KNOWN = "'static', 'onnx', 'onnx:FOLDER' or 'https://HOST/v1#MODEL'"


def encoder_named(name: str, *, api_key: str | None = None) -> Encoder:
    """A new encoder.

    - `static`: token vectors from the wordllama wheel;
    - `onnx`: MiniLM from the package lmos-minilm; `onnx:FOLDER`: another model with its tokenizer;
    - `https://HOST/v1#MODEL`: an OpenAI-compatible server (`api_key` is sent to it).

    Raises `EncoderError` for any other name, and for `onnx` where the package is not installed.
    """
    kind, _, rest = name.partition(":")
    if name == "static":
        from lmos.encoders.static import StaticEncoder

        return StaticEncoder()
    if kind == "onnx":
        return _onnx(rest)
    if kind in ("http", "https"):
        return _openai(name, api_key)
    raise EncoderError(f"There is no encoder {name!r}: use {KNOWN}")


def installed_encoders() -> tuple[Encoder, ...]:
    """The encoders that this installation has, fastest first: `static`, and `onnx` where lmos-minilm is installed."""
    from lmos.encoders.onnx import minilm_folder

    names = ("static", "onnx") if minilm_folder() is not None else ("static",)
    return tuple(encoder_named(name) for name in names)


def _onnx(path: str) -> Encoder:
    from lmos.encoders.onnx import INSTALL, OnnxEncoder, minilm_folder

    folder = Path(path) if path else minilm_folder()
    if folder is None:
        raise EncoderError(f"The encoder 'onnx' is not installed: {INSTALL}")
    return OnnxEncoder(folder)


def _openai(name: str, api_key: str | None) -> Encoder:
    from lmos.encoders.openai import OpenAIEncoder

    url, _, model = name.partition("#")
    if not model:
        raise EncoderError(f"The encoder {name!r} names no model: add it after '#', as in 'https://HOST/v1#MODEL'")
    return OpenAIEncoder(url, model, api_key=api_key)
