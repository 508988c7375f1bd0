"""Models by name: what the setting `model`, an Agent's `model` and the command line say. Loads only what is named."""

from __future__ import annotations

from lmos.encoders.base import Encoder
from lmos.models.base import Model, ModelError

__all__ = ["OFFLINE", "model_named"]

OFFLINE = "offline"


def model_named(text: str, *, api_key: str | None = None, encoder: Encoder | None = None) -> Model:
    """The model that `text` names.

    `offline` is the offline model (on `encoder`, the static one by default); `http://host/v1#model` the model of an
    OpenAI-compatible server; anything else pydantic-ai's `provider:model`. Raises `ModelError` with the fix.
    """
    name = text.strip()
    if not name:
        raise ModelError(f"model {text!r} is empty; write 'offline' or e.g. 'openai:gpt-5-mini'")
    if name == OFFLINE:
        from lmos.encoders.registry import encoder_named
        from lmos.models.offline import OfflineModel

        return OfflineModel(encoder or encoder_named("static"))
    if name.startswith(("http://", "https://")):
        from lmos.models.providers import url_model

        return url_model(name, api_key=api_key)
    from lmos.models.providers import provider_model

    return provider_model(name, api_key=api_key)
