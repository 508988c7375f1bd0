"""Router strategies by name: what the setting `router` says. The platform composes its classifier here.

Whatever the strategy, a channel's rules, an explicitly named agent and the answer to our own question come first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from lmos.models.base import Model
from lmos.router.base import Classifier, ClassifierError
from lmos.router.clarifier import AnsweredClassifier, Clarifier, ModelClarifier, TemplateClarifier
from lmos.router.explicit import ExplicitClassifier
from lmos.router.hybrid import AbstractingClassifier, HybridClassifier
from lmos.router.llm import LlmClassifier, LlmOptions
from lmos.router.rules import RulesClassifier

__all__ = ["STRATEGIES", "Clarification", "Strategy", "clarifier_named", "classifier_named", "composed"]

Strategy = Literal["vector", "llm", "hybrid", "hybrid-abstract"]
Clarification = Literal["template", "model"]

STRATEGIES: Final[tuple[Strategy, ...]] = ("vector", "llm", "hybrid", "hybrid-abstract")

Loader = Callable[[], Model]


def classifier_named(
    name: str, vector: Classifier, *, model: Loader | None = None, options: LlmOptions | None = None
) -> Classifier:
    """The classifier of strategy `name`, complete with rules and explicit agents, on `vector`.

    - `vector`: examples and descriptions alone, no model;
    - `llm`: the model alone;
    - `hybrid`: vectors, and the model for what they leave open;
    - `hybrid-abstract`: the model states the wish, vectors decide.

    `model` is called only by the strategies that need one. Raises `ClassifierError` for another name, and where a
    model is needed and none given; and what `model` does.
    """
    if name == "vector":
        return composed(vector)
    if name == "llm":
        return composed(LlmClassifier(_needed(model, name), options))
    if name == "hybrid":
        return composed(HybridClassifier(vector, LlmClassifier(_needed(model, name), options)))
    if name == "hybrid-abstract":
        return composed(AbstractingClassifier(vector, _needed(model, name), options))
    raise ClassifierError(f"There is no router {name!r}: use {', '.join(map(repr, STRATEGIES))}")


def composed(decide: Classifier) -> Classifier:
    """`decide`, after a channel's rules, an explicitly named agent and the answer to our own question."""
    return RulesClassifier(ExplicitClassifier(AnsweredClassifier(decide)))


def clarifier_named(name: str, *, model: Loader | None = None, options: LlmOptions | None = None) -> Clarifier:
    """`template`, or `model`, which falls back to the template. Raises `ClassifierError` as `classifier_named` does."""
    if name == "template":
        return TemplateClarifier()
    if name == "model":
        return ModelClarifier(_needed(model, "clarify=model"), options)
    raise ClassifierError(f"There is no clarification {name!r}: use 'template' or 'model'")


def _needed(model: Loader | None, name: str) -> Model:
    found = None if model is None else model()
    if found is None or found.name == "offline":
        raise ClassifierError(
            f"The router {name!r} needs a language model that answers in JSON: set LMOS_ROUTER_MODEL to e.g. "
            "'openai:gpt-5-mini' or 'http://localhost:11434/v1#llama3.2', or LMOS_ROUTER=vector"
        )
    return found
