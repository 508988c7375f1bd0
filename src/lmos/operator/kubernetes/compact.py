"""Makes ten thousand objects fit: models built anew such that they share what they have in common.

`Reader` passes each object that it has read through a `Pool`. An Agent of 1 KB takes 9 KB as pydantic leaves it, of
which 4 are sets of field names and 2 are dictionaries with keys of their own, and 2.5 after this: equal texts, tuples
and sets become one, and CPython shares the keys of objects that are built attribute by attribute. Reading many becomes
faster by it, for there is less to collect garbage in.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel

from lmos.resources.base import ObjectMeta

__all__ = ["Pool"]

M = TypeVar("M", bound=BaseModel)

_POOLED: Final = 8_000
"""So many texts and tuples are remembered; then it begins anew, at the price of some duplicates."""
_LONG: Final = 256
_FEW: Final = 8
_LABEL: Final = 63
_UNIQUE: Final = frozenset({"name", "uid", "resource_version"})
"""Fields of `ObjectMeta` in which no two objects are alike."""


class Pool:
    """Values to share. Models are frozen, so nobody can tell."""

    def __init__(self) -> None:
        self._values: dict[Any, Any] = {}
        self._field_sets: dict[type[BaseModel], list[set[str]]] = {}
        self._models: dict[type[Any], bool] = {}

    def compact(self, model: M) -> M:
        """An equal model of the same type that takes less memory."""
        if len(self._values) > _POOLED:
            self._values.clear()
        return self._model(model)

    def _model(self, model: M) -> M:
        # One call an object and its parts: this is a tenth of what a reconcile costs, so types are asked for directly.
        kind = type(model)
        small, put, share = object.__new__(kind), object.__setattr__, self._values.setdefault
        unique = _UNIQUE if kind is ObjectMeta else ()
        for name, value in vars(model).items():
            of = cast("type[Any]", type(value))
            if of is str:  # not an enum, which equals its text
                put(small, name, value if len(value) > _LONG or name in unique else share(value, value))
            elif of is tuple:
                put(small, name, self._items(value) if value else value)
            elif of is dict:
                put(small, name, self._texts(value))
            else:
                put(small, name, self._model(value) if value is not None and self._is_model(of) else value)
        put(small, "__pydantic_fields_set__", self._field_set(kind, model.__pydantic_fields_set__))
        put(small, "__pydantic_extra__", model.__pydantic_extra__)
        put(small, "__pydantic_private__", model.__pydantic_private__)
        return small

    def _field_set(self, kind: type[BaseModel], fields: set[str]) -> set[str]:
        """One set for all equal ones; model_copy copies it before it adds to it."""
        known = self._field_sets.setdefault(kind, [])
        for one in known:
            if one == fields:
                return one
        known.append(fields)
        return fields

    def _is_model(self, kind: type[Any]) -> bool:
        """`issubclass(kind, BaseModel)`, which asks an abstract base class each time."""
        known = self._models.get(kind)
        if known is None:
            known = self._models[kind] = issubclass(kind, BaseModel)
        return known

    def _text(self, value: Any) -> Any:
        return self._values.setdefault(value, value) if type(value) is str and len(value) <= _LONG else value

    def _texts(self, values: dict[Any, Any]) -> dict[Any, Any]:
        """Labels, or annotations: the former are few and the same on many objects, the latter are long."""
        if len(values) > _FEW or not all(type(value) is str and len(value) <= _LABEL for value in values.values()):
            return {self._text(key): self._text(item) for key, item in values.items()}
        items = tuple(values.items())
        known = self._values.get(items)
        if known is None:
            known = self._values[items] = {self._text(key): self._text(item) for key, item in values.items()}
        return known

    def _items(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        """A tuple as models have it: of texts, or of models."""
        if type(items[0]) is str:
            known = self._values.get(items)
            if known is None:
                known = tuple([self._text(item) for item in items])
                self._values[known] = known
            return known
        if self._is_model(cast("type[Any]", type(items[0]))):
            return tuple([self._model(item) for item in items])
        return items
