"""Makes ten thousand objects fit: equal strings, tuples and field sets in them become one. For fresh models only.

`Reader` does it to each object it has read. An Agent of 1 KB takes 9 KB as pydantic leaves it, of which 4 are sets of
field names, and 3 after this; it costs a seventh of the reading.
"""

from __future__ import annotations

from typing import Any, Final, cast

from pydantic import BaseModel

from lmos.resources.base import ObjectMeta

__all__ = ["Pool"]

_POOLED: Final = 50_000
"""So many texts and tuples are remembered; then it begins anew, at the price of some duplicates."""
_LONG: Final = 256
_UNIQUE: Final = frozenset({"name", "uid", "resource_version", "creation_timestamp"})
"""Fields of `ObjectMeta` in which no two objects are alike."""


class Pool:
    """Values to share. Models are frozen, so nobody can tell."""

    def __init__(self) -> None:
        self._values: dict[Any, Any] = {}
        self._field_sets: dict[tuple[type[BaseModel], frozenset[str]], set[str]] = {}

    def compact(self, model: BaseModel) -> None:
        """Share what `model` has in common with others. It must be new: nobody else may hold any part of it."""
        fields = model.__pydantic_fields_set__
        # model_copy copies the set before it adds to it.
        shared = self._field_sets.setdefault((type(model), frozenset(fields)), fields)
        object.__setattr__(model, "__pydantic_fields_set__", shared)
        values = vars(model)
        unique = _UNIQUE if isinstance(model, ObjectMeta) else ()
        for name, value in values.items():
            if name not in unique:
                values[name] = self._shared(value)

    def _shared(self, value: Any) -> Any:
        if type(value) is str:  # not an enum: it equals its text
            return self._pooled(value) if len(value) <= _LONG else value
        if isinstance(value, BaseModel):
            self.compact(value)
        elif isinstance(value, tuple):
            items = tuple([self._shared(item) for item in cast("tuple[Any, ...]", value)])
            return self._pooled(items) if all(type(item) is str for item in items) else items
        elif isinstance(value, dict):
            mapping = cast("dict[str, Any]", value)
            return {self._shared(key): self._shared(item) for key, item in mapping.items()}
        return value

    def _pooled(self, value: Any) -> Any:
        if len(self._values) >= _POOLED:
            self._values.clear()
        return self._values.setdefault(value, value)
