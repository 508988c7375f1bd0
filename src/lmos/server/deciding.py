"""Router and clarifier as the settings say: `lmos up` and `lmos route` decide alike because both ask here."""

from __future__ import annotations

from lmos.encoders.base import Encoder
from lmos.encoders.registry import encoder_named, installed_encoders
from lmos.models.base import Model
from lmos.models.registry import model_named
from lmos.router.asking import Limits
from lmos.router.base import Classifier
from lmos.router.clarifier import Clarifier
from lmos.router.llm import LlmOptions
from lmos.router.strategies import clarifier_named, classifier_named
from lmos.router.templates import Prompts
from lmos.router.vector import VectorClassifier
from lmos.settings import Settings

__all__ = ["clarifier_for", "classifier_for", "encoders_for", "model_for"]

AUTO = "auto"


def encoders_for(settings: Settings) -> tuple[Encoder, ...]:
    """The encoders of the router, fastest first. Raises `EncoderError` for one that is not installed."""
    if settings.encoder == AUTO:
        return installed_encoders()
    key = settings.encoder_api_key
    return (encoder_named(settings.encoder, api_key=key.get_secret_value() if key else None),)


def classifier_for(settings: Settings, encoders: tuple[Encoder, ...]) -> Classifier:
    """The classifier on `encoders`. Raises `ClassifierError`, and `ModelError` where the strategy needs a model."""
    vector = VectorClassifier(*encoders)
    return classifier_named(settings.router, vector, model=lambda: _router_model(settings), options=_options(settings))


def clarifier_for(settings: Settings) -> Clarifier:
    """Who words the question between topics. Raises `ClassifierError` and `ModelError` as `classifier_for` does."""
    return clarifier_named(settings.router_clarify, model=lambda: _router_model(settings), options=_options(settings))


def model_for(settings: Settings, encoder: Encoder) -> Model:
    """The model of local agents; the offline model reads with `encoder`. Raises `ModelError`."""
    return model_named(settings.model, api_key=_model_key(settings), encoder=encoder)


def _router_model(settings: Settings) -> Model:
    return model_named(settings.router_model or settings.model, api_key=_model_key(settings))


def _model_key(settings: Settings) -> str | None:
    return settings.model_api_key.get_secret_value() if settings.model_api_key else None


def _options(settings: Settings) -> LlmOptions:
    limits = Limits(timeout=settings.router_timeout, tokens=settings.router_tokens)
    return LlmOptions(Prompts(settings.router_prompts), settings.router_roster, limits)
