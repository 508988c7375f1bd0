"""The classifier that `lmos up` uses unless told otherwise. The runtime asks for it; variants are composed here."""

from __future__ import annotations

from lmos.encoders.base import Encoder
from lmos.encoders.registry import installed_encoders
from lmos.router.base import Classifier
from lmos.router.explicit import ExplicitClassifier
from lmos.router.vector import VectorClassifier

__all__ = ["default_classifier"]


def default_classifier(*encoders: Encoder) -> Classifier:
    """An explicitly named agent first, then the vector classifier on `encoders`, fastest first.

    Without encoders it uses all that are installed: a cascade where the package lmos-minilm is.
    """
    return ExplicitClassifier(VectorClassifier(*(encoders or installed_encoders())))
