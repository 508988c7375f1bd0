"""Resources in little more than half of the memory: for whoever holds thousands of them.

Stores pass what they read through a `Compactor`. The objects stay what they are, equal and of the same types. What is
saved on CPython: pydantic gives each model a dictionary with keys of its own and a set of field names of its own, 1 KB
for `metadata` alone; objects built attribute by attribute share the keys, and all objects with the same fields share
one set. Short texts that recur, as labels and versions do, are kept once.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel

__all__ = ["Compactor"]

M = TypeVar("M", bound=BaseModel)

_SHORT: Final = 32
"""Longer texts hardly recur."""
_KNOWN: Final = 16384
"""Texts to remember; then all are forgotten, since most were versions and times that never come again."""


class Compactor:
    """`compact(model)` gives an equal model. The models must be frozen: their parts are shared."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._fields: dict[frozenset[str], set[str]] = {}

    def compact(self, model: M) -> M:
        """An equal model of the same type that takes less memory. It shares parts with `model`, and with others."""
        if len(self._texts) > _KNOWN:
            self._texts.clear()
        return self._model(model)

    def _model(self, model: M) -> M:
        small = object.__new__(type(model))
        for name, value in model.__dict__.items():
            object.__setattr__(small, name, self._value(value))
        names = frozenset(model.model_fields_set)
        object.__setattr__(small, "__pydantic_fields_set__", self._fields.setdefault(names, set(names)))
        object.__setattr__(small, "__pydantic_extra__", model.__pydantic_extra__)
        object.__setattr__(small, "__pydantic_private__", model.__pydantic_private__)
        return small

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._texts.setdefault(value, value) if len(value) <= _SHORT else value
        if isinstance(value, BaseModel):
            return self._model(value)
        if isinstance(value, tuple):
            return tuple([self._value(item) for item in cast("tuple[Any, ...]", value)])
        if isinstance(value, dict):
            found = cast("dict[str, Any]", value)
            return {self._value(key): self._value(item) for key, item in found.items()}
        return value
