"""Objects as rows: the printer columns of their kind, cell for cell as `kubectl get` shows those of a CRD. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

from lmos.cli.selection import qualified
from lmos.cli.terminal import Cell, status_text
from lmos.resources.base import Resource
from lmos.resources.kinds import Kind

__all__ = ["age", "headers_of", "row_of"]

# A name, in which a backslash takes a dot's meaning away, or the one of a list whose member has some value.
_STEP = re.compile(r'\.((?:[A-Za-z0-9_/-]|\\.)+)|\[\?\(@\.(\w+)=="(\w+)"\)\]')
_Step = str | tuple[str, str]


def headers_of(kind: Kind, *, wide: bool, namespaces: bool) -> list[str]:
    """The header line of a table of `kind`."""
    shown = [column.name for column in kind.columns if wide or not column.wide]
    return [*(["NAMESPACE"] if namespaces else []), "NAME", *shown, "AGE"]


def row_of(
    resource: Resource, kind: Kind, now: datetime, *, wide: bool, namespaces: bool, qualify: bool = False
) -> list[Cell]:
    """The cells of `resource` under `headers_of`; `qualify` writes the name as `channel.lmos.eclipse/web`."""
    data, meta = resource.as_written(), resource.metadata
    shown = [_cell(data, column.path) for column in kind.columns if wide or not column.wide]
    name = qualified(kind, meta.name) if qualify else meta.name
    return [*([meta.namespace] if namespaces else []), name, *shown, age(meta.creation_timestamp, now)]


def age(timestamp: str | None, now: datetime) -> str:
    """How long ago an RFC 3339 `timestamp` was, as kubectl writes it: `45s`, `7m20s`, `3h5m`, `12d`."""
    if timestamp is None:
        return "<unknown>"
    seconds = max(0, int((now - datetime.fromisoformat(timestamp).astimezone(UTC)).total_seconds()))
    for limit, unit, name, part, part_name in _AGES:
        if seconds < limit:
            rest = seconds % unit // part if part else 0
            return f"{seconds // unit}{name}" + (f"{rest}{part_name}" if rest else "")
    return f"{seconds // _YEAR}y"


_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR: Final = 365 * _DAY
# Below how many seconds an age is shown in which unit, and which part of that unit is shown beside it.
_AGES: Final = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def _cell(data: Any, path: str) -> Cell:
    """The first value that the path finds, as an API server prints it: text as it is, all else as JSON."""
    value = _value(data, [_step(match) for match in _STEP.finditer(path)])
    if value is None:
        return ""
    return status_text(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    )


def _step(match: re.Match[str]) -> _Step:
    name, key, wanted = match.groups()
    return (key, wanted) if key else name.replace("\\", "")


def _value(data: Any, steps: Sequence[_Step]) -> Any:
    for step in steps:
        if isinstance(step, tuple):
            key, wanted = step
            items = cast("list[dict[str, Any]]", data) if isinstance(data, list) else []
            data = next((item for item in items if item.get(key) == wanted), None)
        else:
            data = cast("dict[str, Any]", data).get(step) if isinstance(data, dict) else None
    return data
