"""Objects as rows: the printer columns of their kind, as `kubectl get` shows those of a CRD. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from lmos.cli.selection import qualified
from lmos.cli.terminal import Cell, status_text
from lmos.resources.base import Resource
from lmos.resources.kinds import Kind

__all__ = ["age", "headers_of", "row_of"]

_NONE = "<none>"
_STEP = re.compile(r'\.([A-Za-z0-9_-]+)|\[(\*|\?\(@\.\w+=="\w+"\))\]')
_FILTER = re.compile(r'\?\(@\.(\w+)=="(\w+)"\)')


def headers_of(kind: Kind, *, wide: bool, namespaces: bool) -> list[str]:
    """The header line of a table of `kind`."""
    shown = [column.name for column in kind.columns if wide or not column.wide]
    return [*(["NAMESPACE"] if namespaces else []), "NAME", *shown, "AGE"]


def row_of(
    resource: Resource, kind: Kind, now: datetime, *, wide: bool, namespaces: bool, qualify: bool = False
) -> list[Cell]:
    """The cells of `resource` under `headers_of`; `qualify` writes the name as `channel.lmos.eclipse/web`."""
    data, meta = resource.to_wire(), resource.metadata
    shown = [_cell(data, column.path) for column in kind.columns if wide or not column.wide]
    name = qualified(kind, meta.name) if qualify else meta.name
    return [*([meta.namespace] if namespaces else []), name, *shown, age(meta.creation_timestamp, now)]


def age(timestamp: str | None, now: datetime) -> str:
    """How long ago an RFC 3339 `timestamp` was, in kubectl's units: `45s`, `7m`, `3h`, `12d`."""
    if timestamp is None:
        return "<unknown>"
    seconds = max(0, int((now - datetime.fromisoformat(timestamp).astimezone(UTC)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        # kubectl shows two of a unit before it changes to the next: 119 s, then 2 m.
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _cell(data: Any, path: str) -> Cell:
    values = list(_values(data, [match.group(1) or match.group(2) for match in _STEP.finditer(path)]))
    return status_text(",".join(values)) if values else _NONE


def _values(data: Any, steps: Sequence[str]) -> Iterator[str]:
    """What a JSONPath of names, `[*]` and `[?(@.name=="value")]` finds; a list at its end counts as its elements."""
    if not steps:
        if isinstance(data, list):
            yield from map(str, data)  # pyright: ignore[reportUnknownArgumentType]
        elif data is not None:
            yield str(data)
    elif steps[0] == "*" or _FILTER.fullmatch(steps[0]):
        for item in data if isinstance(data, list) else []:  # pyright: ignore[reportUnknownVariableType]
            if _passes(item, steps[0]):
                yield from _values(item, steps[1:])
    elif isinstance(data, dict):
        yield from _values(data.get(steps[0]), steps[1:])  # pyright: ignore[reportUnknownMemberType]


def _passes(item: Any, step: str) -> bool:
    wanted = _FILTER.fullmatch(step)
    if wanted is None:
        return True
    return isinstance(item, dict) and cast("dict[str, Any]", item).get(wanted[1]) == wanted[2]
