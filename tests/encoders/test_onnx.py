from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lmos.encoders.base import EncoderError
from lmos.encoders.onnx import OnnxEncoder, minilm_folder
from lmos.encoders.registry import encoder_named, installed_encoders
from lmos.encoders.vocabulary import known_words

pytestmark = pytest.mark.anyio


def minilm() -> Path:
    folder = minilm_folder()
    assert folder is not None, "run `make setup`: it installs packages/lmos-minilm"
    return folder


async def test_a_vector_does_not_depend_on_its_neighbours() -> None:
    encoder = OnnxEncoder(minilm())
    texts = [f"question {n} about my {'very ' * n} high bill" for n in range(12)]
    together = await encoder.encode(texts)
    assert np.array_equal(together, np.concatenate([await encoder.encode([text]) for text in texts]))


async def test_the_name_follows_the_weights(tmp_path: Path) -> None:
    for name in ("tokenizer.json", "model_int8.onnx"):
        (tmp_path / name).write_bytes((minilm() / name).read_bytes())
    assert encoder_named(f"onnx:{tmp_path}").name == encoder_named("onnx").name
    with (tmp_path / "model_int8.onnx").open("ab") as file:
        file.write(b"\0")
    assert encoder_named(f"onnx:{tmp_path}").name != encoder_named("onnx").name


async def test_a_folder_without_a_model_is_an_error_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((minilm() / "tokenizer.json").read_bytes())
    with pytest.raises(EncoderError, match=r"must hold one \.onnx file, it holds none"):
        await OnnxEncoder(tmp_path).encode(["a"])


async def test_a_model_without_its_tokenizer_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(EncoderError, match=r"tokenizer\.json' is missing"):
        await OnnxEncoder(tmp_path).encode(["a"])


async def test_a_file_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((minilm() / "tokenizer.json").read_bytes())
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(EncoderError, match="is not a model that onnxruntime can load"):
        await OnnxEncoder(tmp_path).encode(["a"])


async def test_the_best_installed_encoder_comes_last() -> None:
    assert [encoder.name.split("-")[0] for encoder in installed_encoders()] == ["static", "onnx"]


def test_the_vocabulary_knows_words_and_no_fragments() -> None:
    known = known_words()
    assert {"contract", "cancel"} <= known
    assert not {"##tion", "contarct", "bil"} & known
