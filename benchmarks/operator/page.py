"""`docs/reference/operator-benchmarks.md`, written from the raw runs: no figure is copied by hand; a test compares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS
from benchmarks.report import row

__all__ = ["FILE", "PAGE", "keep", "main", "page"]

FILE = RESULTS / "operator.json"
PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "operator-benchmarks.md"

_HEAD = """# Operator benchmarks

What the operator costs on a real Kubernetes API server, as `python -m benchmarks.operator` measured it. The control
plane is etcd and kube-apiserver, built from their Go modules, on the same cores as the operator and the program that
changes objects: wall times contain what these take, CPU times do not. A figure is the median of its runs; the smallest
and largest stand beside it, and all runs are in `benchmarks/results/operator.json`. Goals that are missed say by how
much. This page is written from that file; do not edit it.

The peer is [kopf](https://kopf.readthedocs.io) 1.45 doing the same work (the same types, resolver and desired state),
with the best settings that we found: uvloop, 64 workers that leave after 20 ms, no events, pages of 500. It does less:
no Lease, metrics, REST API, and a changed Agent does not reconcile its Channels. Both are processes of their own,
measured in turn in the same session.
"""

_PARTS = {
    "starting": ("Starting", "Nothing to do yet. `lmos operator` with all that it has by default."),
    "reconciling": (
        "A reconcile",
        """1,000 Channels that require two capabilities each, of 100 Agents. A Channel is changed such that its status
has to be written and its routing stays, or such that nothing has to be written. From the cache: an Agent of 1,000
Channels has changed without consequence for them.""",
    ),
    "gate": (
        "The gate",
        """CI measures this ratio anew, turn by turn on its own machine, and fails when the median is more than 20 %
above the one that is recorded here.""",
    ),
    "converging": ("Converging", "New Channels: each gets a ChannelRouting, a status and an Event."),
    "cold": ("A cold start", "10,000 Agents of 1 KB that were reconciled before; the operator starts anew."),
    "fanout": (
        "Fan-out",
        """One Agent's new version is taken up by its 1,000 Channels; 1,000 Channels of another Agent are left alone.
The API server counts the writes: there is one for each Channel that is affected.""",
    ),
    "changes": (
        "Changes",
        """Half of the changes are of Agents, until a ChannelRouting has the new version, half of Channels, until the
status is about them. API latency is the time until the sender's own watch tells of the change.""",
    ),
    "failover": (
        "Failover",
        """Two operators with the default Lease (15/10/2 s). The time runs from the signal until the other one leads
and has reconciled a change that is made then.""",
    ),
    "stream": (
        "A long run",
        """500 Agents and 500 Channels change without end, on a synthetic API server in the operator's process: one
change in ten alters a spec and is reconciled, with what that makes necessary.""",
    ),
}


def keep(part: str, figures: dict[str, Any]) -> None:
    """Put the raw runs of a part in the place of its last ones."""
    raw = _raw()
    raw[part] = figures
    FILE.write_text(json.dumps({name: raw[name] for name in _PARTS if name in raw}, indent=1) + "\n")


def page() -> str:
    """The whole page."""
    raw = _raw()
    return "\n".join([_HEAD, *(_section(*_PARTS[name], raw[name]) for name in _PARTS if name in raw)])


def main() -> None:
    PAGE.write_text(page())
    print(f"wrote {PAGE}")


def _section(title: str, text: str, document: dict[str, Any]) -> str:
    machine = document["machine"]
    rows = "\n".join(row(figure) for figure in document["figures"])
    return f"""## {title}

{text}

| figure | median | runs | goal | verdict |
|---|--:|--:|--:|---|
{rows}

{document["started"][:10]}; {machine["cpu"]}, {machine["cores"]} cores, {machine["system"]}; Kubernetes
{machine["kubernetes"]}, Python {machine["python"]}, kopf {machine["kopf"]}, aiohttp {machine["packages"]["aiohttp"]},
pydantic {machine["packages"]["pydantic"]}.
"""


def _raw() -> dict[str, Any]:
    return json.loads(FILE.read_text()) if FILE.exists() else {}
