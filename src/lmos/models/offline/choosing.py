"""Which tool a text asks for: similarity of meaning to what is known of each tool, by the router's encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lmos.encoders.base import Encoder, Vectors
from lmos.models.base import ToolSpec
from lmos.models.offline.parameters import Parameter, read_parameters, words_of

__all__ = ["FIT", "STRONG", "KnownTool", "Tools", "know"]

FIT: Final = 0.24
"""Least similarity at which a tool is called. Unrelated texts reach 0.18 with the static encoder, fitting ones 0.27 to
0.8 (`tests/models/offline/test_choosing.py` holds the cases)."""

STRONG: Final = 0.45
"""Similarity at which a text changes the topic although a question is open."""


@dataclass(frozen=True)
class KnownTool:
    """A tool and its parameters."""

    spec: ToolSpec
    parameters: tuple[Parameter, ...]
    topic: frozenset[str]
    """Words of name and description."""


@dataclass(frozen=True, eq=False)
class Tools:
    """The tools of a request with the vectors of their texts; `owner[i]` is the tool that row `i` speaks for."""

    known: tuple[KnownTool, ...]
    vectors: Vectors
    owner: tuple[int, ...]

    def scores(self, query: Vectors) -> list[float]:
        """Similarity of `query` (`float32[d]`) to each tool, that of the tool's nearest text."""
        similarities = self.vectors @ query
        best = [-1.0] * len(self.known)
        for row, tool in enumerate(self.owner):
            best[tool] = max(best[tool], float(similarities[row]))
        return best


async def know(specs: Sequence[ToolSpec], encoder: Encoder) -> Tools:
    """Read the tools and encode their texts: name, description, parameters' descriptions, examples."""
    known = tuple(
        KnownTool(spec, read_parameters(spec.parameters), words_of(f"{spec.name.replace('_', ' ')} {spec.description}"))
        for spec in specs
    )
    texts: list[str] = []
    owner: list[int] = []
    for position, tool in enumerate(known):
        name = tool.spec.name.replace("_", " ").replace("-", " ")
        described = [f"{p.name.replace('_', ' ')}: {p.description}" for p in tool.parameters if p.description]
        for text in (name, tool.spec.description, *described, *tool.spec.examples):
            texts.append(text)
            owner.append(position)
    vectors = await encoder.encode(texts) if texts else np.zeros((0, encoder.dimensions), np.float32)
    return Tools(known, vectors, tuple(owner))
