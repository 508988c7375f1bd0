"""`python -m benchmarks.router.tables`: writes the tables of docs/reference/router.md from the last raw run.

No figure of the documentation is copied by hand; a test compares.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "router.json"
PAGE = ROOT / "docs" / "reference" / "router.md"
BEGIN, END = "<!-- figures: benchmarks.router.tables writes what follows -->", "<!-- end of figures -->"

# Set, field of the raw run, what it is called, what it must reach with MiniLM int8, and what would be better still.
GOALS: Sequence[tuple[str, str, str, float, float]] = (
    ("LMOS, 3000", "agent", "agent right", 99.92, 99.98),
    ("LMOS, 10 each", "agent", "agent right", 99.75, 99.9),
    ("LMOS, 5 each", "agent", "agent right", 99.0, 99.4),
    ("LMOS, 3000, typos", "agent", "agent right", 99.5, 99.8),
    ("LMOS, 10 each", "covered", "own messages not declined", 97.0, 98.0),
    ("LMOS, 10 each", "strangers_rejected", "strangers declined", 95.0, 97.0),
    ("CLINC150, 10 each", "capability", "capability right", 90.5, 92.6),
    ("CLINC150, 10 each", "agent", "agent right", 96.4, 97.3),
    ("CLINC150, all", "capability", "capability right", 95.8, 96.9),
    ("CLINC150, all", "agent", "agent right", 98.5, 99.0),
    ("CLINC150, all", "strangers_auroc", "strangers, AUROC", 97.6, 98.4),
    ("CLINC150, all", "strangers_rejected_keeping_95", "strangers declined, 95 % kept", 87.0, 90.0),
    ("CLINC150, 10 each", "right_when_direct", "right when not asking", 98.8, 99.0),
    ("Home Assistant, German", "capability", "capability right", 97.0, 97.5),
)
# Part of the raw run, field, where, what, and the limit; the fields of `AT_MOST` must not exceed it.
OTHER_GOALS: Sequence[tuple[str, str, str, str, float]] = (
    ("dialogues", "all", "SGD dialogues, 20 each", "turns right", 91.0),
    ("dialogues", "switch", "SGD dialogues, 20 each", "switches right", 88.0),
    ("latency", "p50", "150 capabilities", "ms a decision, median", 6.0),
    ("changes", "live_seconds", "15 capabilities more", "s until live", 1.0),
    ("memory", "megabytes", "150 capabilities", "MB of the process", 250.0),
)
AT_MOST = frozenset({"p50", "live_seconds", "megabytes"})
KINDS = ("all", "first", "follow", "switch", "closing")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def cell(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def rendered(raw: dict[str, Any]) -> str:
    """The tables of a raw run, as Markdown."""
    encoders = (
        f"MiniLM int8 is `{raw['onnx']}`; `cascade` is `static`, then MiniLM for what that is unsure of. Percent."
    )
    sections = (_goals, _accuracy, _baselines, _small_rosters, _dialogues, _costs)
    return "\n\n".join([encoders, *(f"**{section.__doc__}**\n\n{section(raw)}" for section in sections)])


def _baselines(raw: dict[str, Any]) -> str:
    """Eclipse LMOS's routers on the same examples and vectors: the five nearest by majority, and the newer ranker."""
    return table(
        ("set", "kNN-5, agent", "ranker answers", "of these right"),
        (
            (b["set"], cell(b["knn5_agent"], 2), cell(b["ranker_answers"]), cell(b["ranker_right"], 2))
            for b in raw["baselines"]
        ),
    )


def _small_rosters(raw: dict[str, Any]) -> str:
    """Small rosters: own messages matched or asked about rightly (good); strangers declined, a question counts half."""
    fields = ("good", "asked", "declined", "near", "far")
    return table(
        ("rosters", "encoder", "good", "asked", "declined", "near strangers", "far strangers", "all strangers"),
        (
            (s["group"], s["encoder"], *(cell(s[field]) for field in fields), cell((s["near"] + s["far"]) / 2))
            for s in raw["small_rosters"]
        ),
    )


def _dialogues(raw: dict[str, Any]) -> str:
    """Dialogues of SGD's measured half, fed by the router's own last choice; goals: 91 of all turns, 88 of switches."""
    return table(
        ("encoder", "turns", *KINDS),
        ((d["encoder"], str(d["turns"]), *(cell(d[kind]) for kind in KINDS)) for d in raw["dialogues"]),
    )


def _costs(raw: dict[str, Any]) -> str:
    """One thread: ms a decision (150 capabilities); an agent of 150 examples joins nine others and leaves; memory."""
    times, changes = ("p50", "p95", "mean"), ("live_seconds", "settled_seconds", "sure_matches_lost")
    return table(
        ("encoder", *times, "live after s", "settled after s", "sure matches lost by leaving", "MB"),
        (
            (
                t["encoder"],
                *(cell(t[field], 2) for field in times),
                *(cell(c[field], 2) for field in changes),
                cell(m["megabytes"], 0),
            )
            for t, c, m in zip(raw["latency"], raw["changes"], raw["memory"], strict=True)
        ),
    )


def _goals(raw: dict[str, Any]) -> str:
    """Goals, with MiniLM int8; ± is half of the 95 % interval of the accuracy of agents."""
    found = {one["set"]: one for one in raw["accuracy"] if one["encoder"] == "onnx"}
    accuracy = [
        (
            name,
            what,
            cell(found[name][field], 2),
            cell(found[name]["interval"], 2) if field == "agent" else "",
            f"{must:g}",
            f"{stretch:g}",
            "yes" if found[name][field] >= must else "no",
        )
        for name, field, what, must, stretch in GOALS
    ]
    return table(("set", "what", "reached", "±", "must", "stretch", "met"), [*accuracy, *_other_goals(raw)])


def _other_goals(raw: dict[str, Any]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for part, field, where, what, limit in OTHER_GOALS:
        reached = next(one[field] for one in raw[part] if one["encoder"] == "onnx")
        met = reached <= limit if field in AT_MOST else reached >= limit
        must = f"at most {limit:g}" if field in AT_MOST else f"{limit:g}"
        rows.append((where, what, cell(reached, 2), "", must, "", "yes" if met else "no"))
    return rows


def _accuracy(raw: dict[str, Any]) -> str:
    """All sets with all encoders; ECE is that of the agents' probabilities."""
    fields = ("capability", "agent", "interval", "calibration_error", "asked", "right_when_direct", "covered")
    foreign = ("strangers_rejected", "strangers_auroc", "strangers_rejected_keeping_95")
    head = ("set", "encoder", "texts", "capability", "agent", "±", "ECE", "asked", "right when not asking", "kept")
    return table(
        (*head, "strangers declined", "AUROC", "declined, 95 % kept"),
        (
            (a["set"], a["encoder"], str(a["texts"]), *(cell(a[f], 2) for f in fields), *(cell(a[f]) for f in foreign))
            for a in raw["accuracy"]
        ),
    )


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    figures = rendered(json.loads(RESULTS.read_text(encoding="utf-8")))
    PAGE.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
