from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from lmos.encoders.base import EncoderError, Vectors
from lmos.encoders.registry import encoder_named
from lmos.encoders.static import StaticEncoder

pytestmark = pytest.mark.anyio

TEXTS = ["how much is my bill", "Wie hoch ist meine Rechnung?", "a", "  two  spaces ", "📱 kaputt", "x" * 3000]

WORDLLAMA = """
import json, sys
import wordllama
folder = sys.argv[1]
model = wordllama.WordLlama.load(dim=256, cache_dir=folder, disable_download=True)
print(json.dumps(model.embed(json.loads(sys.stdin.read()), norm=True).tolist()))
"""


@pytest.fixture(scope="module")
def wordllama_vectors() -> Vectors:
    spec = find_spec("wordllama")
    assert spec is not None
    folder = str(Path(str(spec.origin)).parent)
    run = subprocess.run(
        [sys.executable, "-c", WORDLLAMA, folder], input=json.dumps(TEXTS), capture_output=True, text=True, check=True
    )
    return np.array(json.loads(run.stdout), np.float32)


async def test_vectors_equal_those_of_wordllama(wordllama_vectors: Vectors) -> None:
    assert await StaticEncoder().encode(TEXTS) == pytest.approx(wordllama_vectors, abs=1e-6)


def test_encoding_never_imports_wordllama() -> None:
    program = (
        "import asyncio, sys; from lmos.encoders.registry import encoder_named;"
        "asyncio.run(encoder_named('static').encode(['bill']));"
        "sys.exit('wordllama' in sys.modules or 'huggingface_hub' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_missing_weights_are_named_with_the_fix(tmp_path: Path) -> None:
    encoder = StaticEncoder()
    encoder.__dict__["_folder"] = tmp_path
    with pytest.raises(EncoderError, match=r"l2_supercat.*install a wordllama"):
        await encoder.encode(["bill"])


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(EncoderError, match=r"'word2vec'.*static"):
        encoder_named("word2vec")
