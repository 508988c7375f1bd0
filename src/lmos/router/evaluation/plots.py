"""Plots as SVG text: a line with points, and bars beside a diagonal. Pure, without a library and without scripts.

Colours are CSS classes, so that the page decides about light and dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

__all__ = ["line_plot", "reliability_plot"]

_WIDTH: Final = 460
_HEIGHT: Final = 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 26, 16, 46
_TICKS: Final = 5

Point = tuple[float, float]


def line_plot(points: Sequence[Point], *, x: str, y: str, title: str) -> str:
    """A line through `points` (x from 0 to 100) whose y axis begins at 0 and ends above the highest point."""
    top = _round_up(max((value for _, value in points), default=1.0))
    placed = [_place(at, value, top) for at, value in points]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
    marks = "".join(
        f'<circle class="mark" cx="{a:.1f}" cy="{b:.1f}" r="3"><title>{escape(x)} {at:.1f} %, {escape(y)} {value:.2f} %'
        "</title></circle>"
        for (a, b), (at, value) in zip(placed, points, strict=True)
    )
    return _svg(title, x, y, top, f'<polyline class="line" points="{path}"/>{marks}')


def reliability_plot(bins: Sequence[tuple[float, float, int]], *, x: str, y: str, title: str) -> str:
    """For each (probability 0..1, right percent, count) a dot whose area tells the count, beside the diagonal."""
    most = max((count for _, _, count in bins), default=1)
    start, end = _place(0, 0, 100), _place(100, 100, 100)
    diagonal = f'<line class="diagonal" x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}"/>'
    dots = ""
    for probability, right, count in bins:
        a, b = _place(100 * probability, right, 100)
        radius = 3 + 9 * (count / most) ** 0.5
        dots += (
            f'<circle class="dot" cx="{a:.1f}" cy="{b:.1f}" r="{radius:.1f}"><title>{count} messages: '
            f"said {100 * probability:.1f} %, right {right:.1f} %</title></circle>"
        )
    return _svg(title, x, y, 100, diagonal + dots)


def _svg(title: str, x: str, y: str, top: float, content: str) -> str:
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    height = (_TOP + _HEIGHT - _BOTTOM) / 2
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(_axes(top))}{content}"
        f'<text class="name" x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x)}</text>'
        f'<text class="name" transform="translate(14 {height}) rotate(-90)" text-anchor="middle">{escape(y)}</text>'
        "</svg>"
    )


def _axes(top: float) -> Iterator[str]:
    for step in range(_TICKS + 1):
        value = step * top / _TICKS
        _, b = _place(0, value, top)
        yield f'<line class="grid" x1="{_LEFT}" y1="{b:.1f}" x2="{_WIDTH - _RIGHT}" y2="{b:.1f}"/>'
        yield f'<text class="tick" x="{_LEFT - 8}" y="{b + 4:.1f}" text-anchor="end">{value:.3g} %</text>'
        a, _ = _place(step * 100 / _TICKS, 0, top)
        yield f'<text class="tick" x="{a:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{step * 20} %</text>'


def _place(x: float, y: float, top: float) -> Point:
    a = _LEFT + x / 100 * (_WIDTH - _LEFT - _RIGHT)
    b = _HEIGHT - _BOTTOM - y / top * (_HEIGHT - _TOP - _BOTTOM)
    return a, b


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10 ... times a power of ten, and at least 0.5."""
    scale = 0.1
    while True:
        for factor in (5, 10, 20):
            if factor * scale >= value:
                return factor * scale
        scale *= 10
