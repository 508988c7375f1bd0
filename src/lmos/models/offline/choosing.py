"""Which tool a text asks for: similarity of meaning to what is known of each tool, by the router's encoder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lmos.encoders.base import Encoder, Vectors
from lmos.models.base import ToolSpec
from lmos.models.offline.parameters import Parameter, read_parameters, words_of
from lmos.models.offline.sentences import language_of
from lmos.models.offline.words import ENGLISH, GERMAN

__all__ = ["FIT", "STRONG", "KnownTool", "Tools", "know", "meaning"]

FIT: Final = 0.24
"""Least similarity at which a tool is called. Unrelated texts reach 0.18 with the static encoder, fitting ones 0.27 to
0.8 (`tests/models/offline/test_choosing.py` holds the cases)."""

_WORDS_BONUS: Final = 0.15

STRONG: Final = 0.45
"""Similarity at which a text changes the topic although a question is open."""


@dataclass(frozen=True)
class KnownTool:
    """A tool and its parameters."""

    spec: ToolSpec
    parameters: tuple[Parameter, ...]
    topic: frozenset[str]
    """Words of name and description."""
    words: frozenset[str]
    """Words of all its texts."""


@dataclass(frozen=True, eq=False)
class Tools:
    """The tools of a request with the vectors of their texts; `owner[i]` is the tool that row `i` speaks for."""

    known: tuple[KnownTool, ...]
    vectors: Vectors
    owner: tuple[int, ...]
    spread: Mapping[str, int]
    """In how many tools' texts a word stands."""

    def scores(self, text: str, vector: Vectors) -> list[float]:
        """How well `text` (its meaning encoded as `vector`, `float32[d]`) fits each tool.

        That is the similarity of the tool's nearest text, and a little for words that this tool's texts have and
        others' do not: "latest" and "previous" are near in meaning.
        """
        similarities = self.vectors @ vector
        best = [-1.0] * len(self.known)
        for row, tool in enumerate(self.owner):
            best[tool] = max(best[tool], float(similarities[row]))
        words = [word for word in words_of(text) - ENGLISH - GERMAN if word in self.spread]
        if not words:
            return best
        return [
            score + _WORDS_BONUS * sum(1 / self.spread[word] for word in words if word in tool.words) / len(words)
            for score, tool in zip(best, self.known, strict=True)
        ]


def meaning(text: str) -> str:
    """What of `text` to encode: all of it, but in German only the words that carry meaning.

    The static encoder's vectors come from English; in German, words such as "ich" and "wie" would outweigh the rest.
    """
    if language_of([text]) != "de":
        return text
    return " ".join(word for word in re.findall(r"\w+", text) if word.lower() not in GERMAN) or text


async def know(specs: Sequence[ToolSpec], encoder: Encoder) -> Tools:
    """Read the tools and encode their texts: name, description, parameters' descriptions, examples."""
    known: list[KnownTool] = []
    texts: list[str] = []
    owner: list[int] = []
    for position, spec in enumerate(specs):
        parameters = read_parameters(spec.parameters)
        name = spec.name.replace("_", " ").replace("-", " ")
        described = [f"{p.name.replace('_', ' ')}: {p.description}" for p in parameters if p.description]
        own = [name, spec.description, *described, *spec.examples]
        known.append(KnownTool(spec, parameters, words_of(f"{name} {spec.description}"), words_of(" ".join(own))))
        texts += own
        owner += [position] * len(own)
    vectors = (
        await encoder.encode([meaning(text) for text in texts])
        if texts
        else np.zeros((0, encoder.dimensions), np.float32)
    )
    spread = Counter(word for tool in known for word in tool.words)
    return Tools(tuple(known), vectors, tuple(owner), spread)
