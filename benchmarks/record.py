"""Raw runs and their summary: one JSON file a session under `benchmarks/results/`."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_PACKAGES = (
    "lmos",
    "numpy",
    "pydantic",
    "pydantic-ai-slim",
    "sqlalchemy",
    "starlette",
    "fastapi",
    "uvicorn",
    "aiohttp",
)


@dataclass
class Figure:
    """One measured quantity: its raw runs, their unit, and the goal that it is held against."""

    name: str
    unit: str
    runs: list[float]
    goal: str = ""
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "goal": self.goal,
            "note": self.note,
            "runs": self.runs,
        }


@dataclass
class Session:
    """All figures of one run of the benchmarks on one machine."""

    benchmark: str
    figures: list[Figure] = field(default_factory=list[Figure])
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def add(self, name: str, unit: str, runs: Sequence[float], *, goal: str = "", note: str = "") -> None:
        self.figures.append(Figure(name, unit, [round(run, 6) for run in runs], goal, note))

    def save(self) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.benchmark}-{self.started[:19].replace(':', '')}.json"
        document = {
            "benchmark": self.benchmark,
            "started": self.started,
            "machine": machine(),
            "figures": [figure.as_json() for figure in self.figures],
        }
        path.write_text(json.dumps(document, indent=1) + "\n")
        return path

    def show(self) -> None:
        for figure in self.figures:
            spread = f"{min(figure.runs):.4g} .. {max(figure.runs):.4g}" if len(figure.runs) > 1 else ""
            goal = f"goal {figure.goal}" if figure.goal else ""
            print(f"  {figure.name:<58} {figure.median:>9.4g} {figure.unit:<9} {goal:<14} {spread}")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = ""
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else ""
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "load": os.getloadavg()[0],
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
