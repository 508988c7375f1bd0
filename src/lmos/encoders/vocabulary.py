"""Words that the installed tokenizers know whole: a dictionary of a few ten thousand words at no extra megabyte.

The router's spelling repair leaves these words alone.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from lmos.encoders.onnx import TOKENIZER as WORDPIECE
from lmos.encoders.onnx import minilm_folder
from lmos.encoders.static import TOKENIZER as STATIC

__all__ = ["known_words"]

SHORTEST = 4
WORD_START = "▁"


@cache
def known_words() -> frozenset[str]:
    """Lower-case words of four letters and more: MiniLM's whole words where it is installed, else the static encoder's.

    Empty when neither is installed.
    """
    minilm = minilm_folder()
    if minilm is not None:
        return _words(minilm / WORDPIECE, prefix="")
    spec = find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    return _words(Path(spec.submodule_search_locations[0]) / STATIC, prefix=WORD_START)


def _words(path: Path, prefix: str) -> frozenset[str]:
    model = cast("dict[str, dict[str, dict[str, int]]]", json.loads(path.read_text(encoding="utf-8")))["model"]
    start = len(prefix)
    tokens = (token[start:] for token in model["vocab"] if token.startswith(prefix))
    return frozenset(word for word in tokens if len(word) >= SHORTEST and word.isalpha() and word.islower())
