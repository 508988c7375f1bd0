"""Why an API server refused one object: said like a manifest's errors, with the fields. Other objects may still go.

`apply` and `delete` go on after such a refusal, as kubectl does; a cluster that does not answer ends them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lmos.cli.terminal import table
from lmos.operator.base import Conflict, NotFound, StoreError
from lmos.operator.kubernetes.errors import Denied, FieldConflict, Forbidden, Invalid, Refused
from lmos.operator.kubernetes.reading import Unreadable

__all__ = ["OF_ONE_OBJECT", "explain_refusal"]

OF_ONE_OBJECT: Final = (Conflict, Denied, Forbidden, Invalid, NotFound, Unreadable)
"""Refusals that say nothing about the next object."""

_OWNER: Final = re.compile(r'conflict with "([^"]+)"')


def explain_refusal(about: str, error: StoreError) -> str:
    """The lines for stderr. `about` says which object, and where it stands."""
    match error:
        case FieldConflict():
            fix = "leave these fields out, or take them over with --force-conflicts"
            return _said(about, "another field manager owns what would change:", _owners(error), fix)
        case Invalid():
            fields = [f"    {cause.field}: {cause.message}" for cause in error.refusal.causes]
            said = "the API server refuses it:" if fields else f"the API server refuses it: {error.refusal.message}"
            return _said(about, said, fields, str(error).rpartition("; ")[2])
        case Denied():
            first, *more = str(error).splitlines()
            return _said(about, first, [f"  {line}" for line in more])
        case _:
            message, semicolon, fix = str(error).rpartition("; ")
            return _said(about, message, (), fix) if semicolon else _said(about, fix)


def _said(about: str, message: str, lines: Iterator[str] | list[str] | tuple[()] = (), fix: str = "") -> str:
    return "\n".join([f"error: {about}: {message}", *lines, *([f"  fix: {fix}"] if fix else [])])


def _owners(error: Refused) -> Iterator[str]:
    """Fields and who owns them."""
    rows: list[tuple[str, str]] = []
    for cause in error.refusal.causes:
        owner = _OWNER.search(cause.message)
        rows.append((cause.field, owner[1] if owner else cause.message))
    yield table((), rows, indent="    ").plain
