"""Text on a terminal: tables without frames, colours only where they are seen.

Commands print people's output with it. Widths follow the content, as with kubectl: nothing is cut, so that what is
piped or copied is whole. Pipes get plain text, and `NO_COLOR` takes the colours away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

__all__ = ["GAP", "Cell", "error_console", "output_console", "status_text", "table"]

GAP: Final = "   "
Cell = str | Text

_GOOD: Final = "green"
_BAD: Final = "red"
_STYLES: Final = {
    "RESOLVED": _GOOD,
    "UNRESOLVED": _BAD,
    "True": _GOOD,
    "False": _BAD,
    "match": _GOOD,
    "ambiguous": "yellow",
    "out_of_scope": "yellow",
}


def output_console() -> Console:
    """For what was asked: stdout."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def error_console() -> Console:
    """For what is said beside it: stderr."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def status_text(value: str) -> Text:
    """A status word in its colour."""
    return Text(value, _STYLES.get(value, ""))


def table(
    headers: Sequence[str], rows: Iterable[Sequence[Cell]], *, indent: str = "", widths: list[int] | None = None
) -> Text:
    """Columns as wide as their longest cell, `GAP` between them, no blanks at line ends. Ends without line end.

    `widths` carries the columns' widths from one table to the next, which continues it: it is widened in place.
    """
    lines: list[Sequence[Cell]] = [[Text(header, "bold") for header in headers]] if headers else []
    lines.extend(rows)
    widths = [] if widths is None else widths
    for line in lines:
        widths.extend([0] * (len(line) - len(widths)))
        widths[: len(line)] = [max(width, cell_len(str(cell))) for width, cell in zip(widths, line, strict=False)]
    text = Text()
    for number, line in enumerate(lines):
        if number:
            text.append("\n")
        _append_line(text, line, widths, indent)
    return text


def _append_line(text: Text, line: Sequence[Cell], widths: Sequence[int], indent: str) -> None:
    last = max((i for i, cell in enumerate(line) if str(cell)), default=-1)
    text.append(indent if last >= 0 else "")
    for i, cell in enumerate(line[: last + 1]):
        text.append(cell)
        if i < last:
            text.append(" " * (widths[i] - cell_len(str(cell))) + GAP)
