"""The `Encoder` port. The router, the offline model and knowledge use it; it knows nothing of agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Encoder", "EncoderError", "Vectors"]

Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """Turns texts into unit vectors, deterministically. Empty or unknown text gives the zero vector, never NaN."""

    @property
    def name(self) -> str:
        """Identity of weights and settings: vectors of two encoders of one name are comparable."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """`float32[len(texts), dimensions]`, each row of unit length (or zero). Raises `EncoderError`."""
        ...


class EncoderError(Exception):
    """The encoder cannot answer: weights missing, server unreachable, answer malformed. The message names the fix."""
