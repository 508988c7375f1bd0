"""`reference/python.md` documents every public name of `lmos` and `lmos.testing`, and what it names is there."""

from __future__ import annotations

import inspect
import re
from importlib import import_module

import pytest

from tests.docs.pages import spans_in, text_of

_PAGE = text_of("reference/python.md")
_IDENTIFIERS = re.findall(r"^::: (\S+)$", _PAGE, re.MULTILINE)


@pytest.mark.parametrize("module", ["lmos", "lmos.testing"])
def test_every_public_name_is_on_the_page(module: str) -> None:
    public = {f"{module}.{name}" for name in import_module(module).__all__}
    assert public - {*_IDENTIFIERS, *spans_in(_PAGE)} == set()


@pytest.mark.parametrize("identifier", _IDENTIFIERS)
def test_a_documented_name_is_public_and_has_a_docstring(identifier: str) -> None:
    path, _, name = identifier.rpartition(".")
    module = import_module(path)
    assert name in module.__all__
    assert inspect.getdoc(getattr(module, name))
