"""Makes ten thousand objects fit: equal strings, tuples and field sets in them become one. For fresh models only.

`Reader` does it to each object it has read. An Agent of 1 KB takes 9 KB as pydantic leaves it, of which 4 are sets of
field names, and 3 after this. Reading many becomes faster by it, for there is less to collect garbage in.
"""

from __future__ import annotations

from typing import Any, Final, cast

from pydantic import BaseModel

from lmos.resources.base import ObjectMeta

__all__ = ["Pool"]

_POOLED: Final = 8_000
"""So many texts and tuples are remembered; then it begins anew, at the price of some duplicates."""
_LONG: Final = 256
_UNIQUE: Final = frozenset({"name", "uid", "resource_version", "creation_timestamp"})
"""Fields of `ObjectMeta` in which no two objects are alike."""


class Pool:
    """Values to share. Models are frozen, so nobody can tell."""

    def __init__(self) -> None:
        self._values: dict[Any, Any] = {}
        self._field_sets: dict[type[BaseModel], list[set[str]]] = {}
        self._models: dict[type[Any], bool] = {}

    def compact(self, model: BaseModel) -> None:
        """Share what `model` has in common with others. It must be new: nobody else may hold any part of it."""
        if len(self._values) > _POOLED:
            self._values.clear()
        self._compact(model)

    def _compact(self, model: BaseModel) -> None:
        # One call an object and its parts: this is a tenth of what a reconcile costs, so types are asked for directly.
        self._share_fields(model)
        share = self._values.setdefault
        unique = _UNIQUE if type(model) is ObjectMeta else ()
        values = vars(model)
        for name, value in values.items():
            kind = cast("type[Any]", type(value))
            if kind is str:  # not an enum, which equals its text
                if len(value) <= _LONG and name not in unique:
                    values[name] = share(value, value)
            elif kind is tuple:
                if value:
                    values[name] = self._items(value)
            elif kind is dict:
                if value:
                    values[name] = {self._text(key): self._text(item) for key, item in value.items()}
            elif value is not None and self._is_model(kind):
                self._compact(value)

    def _share_fields(self, model: BaseModel) -> None:
        """model_copy copies the set before it adds to it."""
        fields = model.__pydantic_fields_set__
        known = self._field_sets.setdefault(type(model), [])
        for one in known:
            if one == fields:
                object.__setattr__(model, "__pydantic_fields_set__", one)
                return
        known.append(fields)

    def _is_model(self, kind: type[Any]) -> bool:
        """`issubclass(kind, BaseModel)`, which asks an abstract base class each time."""
        known = self._models.get(kind)
        if known is None:
            known = self._models[kind] = issubclass(kind, BaseModel)
        return known

    def _text(self, value: Any) -> Any:
        return self._values.setdefault(value, value) if type(value) is str and len(value) <= _LONG else value

    def _items(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        """A tuple as models have it: of texts, or of models."""
        if type(items[0]) is str:
            known = self._values.get(items)
            if known is None:
                known = tuple([self._text(item) for item in items])
                self._values[known] = known
            return known
        if self._is_model(cast("type[Any]", type(items[0]))):
            for item in items:
                self._compact(item)
        return items
