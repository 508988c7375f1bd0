"""A description as kubectl lays it out: labelled values, then titled tables. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from lmos.cli.terminal import Cell, table

__all__ = ["Sheet"]

_NONE = "<none>"


class Sheet:
    """Fill it from top to bottom, then take its `text`."""

    def __init__(self) -> None:
        self._fields: list[tuple[str, Sequence[Cell]]] = []
        self._sections: list[tuple[str, Text | None]] = []

    def field(self, label: str, *values: Cell) -> None:
        """`Label:  value`, further values on lines of their own; `<none>` without any."""
        self._fields.append((label, values or (_NONE,)))

    def section(self, title: str, headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """A titled table; `<none>` beside the title when it has no rows."""
        self._sections.append((title, table(headers, rows, indent="  ") if rows else None))

    def lines(self, title: str, lines: Sequence[str]) -> None:
        """A titled list of sentences; nothing at all without any."""
        if lines:
            self._sections.append((title, Text("\n").join(Text(f"  {line}") for line in lines)))

    @property
    def text(self) -> Text:
        """The whole, without line end."""
        titles = [label for label, _ in self._fields] + [title for title, body in self._sections if body is None]
        width = max((cell_len(label) for label in titles), default=0) + 3
        parts: list[Text] = []
        for label, values in self._fields:
            for number, value in enumerate(values):
                parts.append(Text(f"{label}:" if number == 0 else "").append(" " * (width - self._used(label, number))))
                parts[-1].append(value)
        for title, body in self._sections:
            if body is None:
                parts.append(Text(f"{title}:".ljust(width)).append(_NONE))
            else:
                parts.extend([Text(f"{title}:"), body])
        return Text("\n").join(parts)

    @staticmethod
    def _used(label: str, number: int) -> int:
        return cell_len(label) + 1 if number == 0 else 0
