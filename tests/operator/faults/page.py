"""`docs/reference/operator-faults.md`, written from the sums of runs: no figure is copied by hand; a test compares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

__all__ = ["PAGE", "RESULTS", "page", "record"]

_ROOT: Final = Path(__file__).parents[3]
RESULTS: Final = _ROOT / "benchmarks" / "results" / "faults.json"
PAGE: Final = _ROOT / "docs" / "reference" / "operator-faults.md"

_TEXT: Final = """# Faults of the operator

What operators live through in `make faults`, and what must be true in the end. This page is written by
`python -m tests.operator.faults --record`; do not edit it.

A schedule is made of a seed: people change Agents and Channels, somebody meddles with what is the operator's, one or
two operators reconcile, and requests, watches, processes and the API server fail. Then the faults end, everything
settles, and

- every ChannelRouting and every status is what resolving afresh gives, and what is owned has an owner;
- the caches of each operator hold what is stored, no more and no less;
- no write was needless: none left an object as the operator knew it already.

In virtual time, on the API server of `lmos.testing`, it is also checked that no status is about another generation of
its object, that nothing is sent while another operator holds the Lease, and that an operator that starts in the end
writes nothing. On a real API server, `lmos operator` runs as real processes behind proxies; there, of caches the number
of objects is compared.

Every test run lives through 400 schedules in virtual time, kills, stops and freezes an operator at every await of its
reconciles, and makes sure that operators with known bugs are found out.

| | in virtual time | on a real API server |
|---|--:|--:|
{sums}

| fault | in virtual time | on a real API server |
|---|--:|--:|
{faults}

Recorded {recorded}, with Python {python} on {cpus} CPUs.
"""

_SUMS: Final = {
    "schedules": "schedules",
    "diverged": "of these diverged",
    "hours": "hours lived through",
    "cpu_seconds": "CPU seconds",
    "wall_seconds": "seconds",
}


def page(results: dict[str, Any]) -> str:
    """The whole page."""
    virtual: dict[str, Any] = results["virtual"]
    real: dict[str, Any] = results.get("real", {"faults": {}})
    rows = [f"| {title} | {_shown(virtual.get(name))} | {_shown(real.get(name))} |" for name, title in _SUMS.items()]
    kinds = {**virtual["faults"], **real["faults"]}
    faults = [f"| {kind} | {virtual['faults'].get(kind, 0)} | {real['faults'].get(kind, 0)} |" for kind in kinds]
    days = sorted({sums["recorded"][:10] for sums in results.values()})
    return _TEXT.format(
        sums="\n".join(rows),
        faults="\n".join(faults),
        recorded=" and ".join(days),
        python=virtual["python"],
        cpus=virtual["cpus"],
    )


def record(name: Literal["virtual", "real"], sums: dict[str, Any]) -> None:
    """Keep the sums of a run beside those of the other kind, and write the page."""
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[name] = sums
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    if "virtual" in results:
        PAGE.write_text(page(results))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return str(len(value))  # pyright: ignore[reportUnknownArgumentType] - of seeds
    return "" if value is None else str(value)
