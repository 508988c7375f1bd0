"""`docs/reference/benchmarks.md`, written from the newest raw run of each benchmark: no figure is copied by hand."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "benchmarks.md"

_HEAD = """# Benchmarks

What LMOS costs, as `make bench` measured it. A figure is the median of its runs; the smallest and largest run stand
beside it, and the raw runs are in `benchmarks/results/`. Comparisons measure both sides in turn in one session. Nothing
here decides whether a build passes. This page is written by `python -m benchmarks report`; do not edit it.

Where a goal is missed, the verdict says by how much. Times depend on the machine and on its disk: with
`LMOS_SYNCHRONOUS=full` every answer waits for one disk flush, and the row "disk flush" says what that costs here.

How good the router's decisions are is measured on [its own page](router.md).
"""

_TITLES = {
    "startup": (
        "Starting",
        "Commands, and `lmos up` with the example telco's three agents in its process, learnt and ready to answer.",
    ),
    "turns": (
        "A turn",
        (
            "The same question to an ARC agent directly and through the platform, on kept connections. The *offline "
            "agent* is a real one with a tool on the offline model; the *instant agent* answers at once, so that what "
            "remains is wire and platform. It is one question over and over, so the router remembers its judgement: "
            "what a new text costs stands under Routing, and on the router's page for MiniLM. All processes and the "
            "clients share the machine's cores."
        ),
    ),
    "resolving": ("Resolving", "One channel that requires that many capabilities, ten to an agent."),
    "routing": ("Routing", "One query at a time over the example telco's agents; each text is new to the caches."),
}


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name, (title, text) in _TITLES.items():
        newest = sorted(RESULTS.glob(f"{name}-*.json"))
        if not newest:
            continue
        document = json.loads(newest[-1].read_text())
        parts.append(_section(title, text, document, newest[-1].name))
    return "\n".join(parts)


def _section(title: str, text: str, document: dict[str, Any], file: str) -> str:
    machine = document["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    rows = "\n".join(row(figure) for figure in document["figures"])
    return f"""## {title}

{text}

| figure | median | runs | goal | verdict |
|---|--:|--:|--:|---|
{rows}

{document["started"][:10]}; {machine["cpu"]}, {machine["cores"]} cores, {machine["system"]}; Python {machine["python"]};
{packages}. Raw runs: `{file}`.
"""


def row(figure: dict[str, Any]) -> str:
    """The line of one figure in a table of name, median, runs, goal and verdict."""
    runs = figure["runs"]
    spread = f"{min(runs):.3g} .. {max(runs):.3g}" if len(runs) > 1 else ""
    unit = "" if figure["unit"] == "ratio" else f" {figure['unit']}"
    goal = figure["goal"].replace("|", "\\|")
    return f"| {figure['name']} | {figure['median']:.3g}{unit} | {spread} | {goal} | {_verdict(figure)} |"


def _verdict(figure: dict[str, Any]) -> str:
    """`met`, or by how much the median misses a goal of the form `<= x` or `>= x`."""
    sign, _, text = figure["goal"].partition(" ")
    if sign not in ("<=", ">="):
        return figure["note"]
    bound, median = float(text), statistics.median(figure["runs"])
    if (median <= bound) if sign == "<=" else (median >= bound):
        return "met"
    return f"**missed** by {abs(median - bound) / bound:.0%}"


def main() -> None:
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
