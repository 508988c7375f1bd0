"""The patch that removes what others have left: for any two objects, applying it to the one gives the other."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmos.operator.kubernetes.leftovers import leftovers

SCALARS = st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
)
OBJECTS = st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3)


def merged(target: Any, patch: Any) -> Any:
    """JSON merge patch as RFC 7396 writes it down."""
    if not isinstance(patch, dict):
        return patch
    found: dict[str, Any] = dict(cast("dict[str, Any]", target)) if isinstance(target, dict) else {}
    for name, value in cast("dict[str, Any]", patch).items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


@given(OBJECTS, OBJECTS)
def test_the_patch_makes_the_stored_what_is_wanted(stored: dict[str, Any], wanted: dict[str, Any]) -> None:
    patch = leftovers(stored, wanted)
    assert (stored if patch is None else merged(stored, patch)) == wanted


@given(OBJECTS)
def test_there_is_nothing_to_do_for_what_is_as_wanted(stored: dict[str, Any]) -> None:
    assert leftovers(stored, dict(stored)) is None


@pytest.mark.parametrize(
    ("stored", "wanted", "patch"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, {"b": None}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
    ],
)
def test_the_patch_is_small(stored: Any, wanted: Any, patch: Any) -> None:
    assert leftovers(stored, wanted) == patch
