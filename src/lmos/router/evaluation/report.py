"""An evaluation as text and JSON. `page` makes HTML of the same figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmos.router.evaluation.doctor import Checkup
from lmos.router.evaluation.metrics import Confusion, Group, Measured, Share

__all__ = ["About", "as_json", "as_text", "checkup_json", "checkup_text", "figures", "percent", "sizes"]


@dataclass(frozen=True, slots=True)
class About:
    """What was measured: the test file, the sets in words, the router, its encoders, sizes, and remarks."""

    test: str
    sets: str
    router: str
    encoder: str
    agents: int
    capabilities: int
    examples: int
    rows: int
    foreign: int
    fed: str
    notes: tuple[str, ...] = ()


def figures(measured: Measured) -> dict[str, float | None]:
    """The figures by the names that `--fail-under` takes, in percent."""
    summary = measured.summary
    return {
        "agent": summary.agent.percent,
        "capability": summary.capability.percent,
        "covered": summary.covered.percent,
        "direct": summary.direct.percent,
        "rejected": summary.rejected.percent,
        "auroc": summary.auroc,
        "rejected-keeping-95": summary.rejected_keeping_95,
    }


def as_text(about: About, measured: Measured) -> str:
    """For a terminal."""
    return "\n".join(_lines(about, measured)) + "\n"


def sizes(about: About) -> str:
    """What was learnt from and measured on, in numbers."""
    return (
        f"{about.agents} agents, {about.capabilities} capabilities, {about.examples} examples; {about.rows} messages, "
        f"{about.foreign} of them for nobody"
    )


def _lines(about: About, measured: Measured) -> Iterator[str]:
    summary, latency = measured.summary, measured.latency
    yield f"{about.test}: {about.sets}"
    yield f"router {about.router}, encoder {about.encoder}"
    yield f"{sizes(about)}; {about.fed}"
    yield from (f"note: {note}" for note in about.notes)
    yield ""
    yield from _aligned(
        (
            ("right agent", _share(summary.agent)),
            ("right capability", _share(summary.capability)),
            ("covered (not declined)", _share(summary.covered)),
            ("asked back", _share(summary.asked)),
            ("right where matched", _share(summary.direct)),
            ("calibration error", percent(summary.calibration)),
            ("for nobody: declined", _share(summary.rejected)),
            ("for nobody: AUROC", percent(summary.auroc)),
            ("for nobody: declined, keeping 95 %", percent(summary.rejected_keeping_95)),
            (
                "ms p50 / p95 / p99 / mean",
                f"{latency.p50:.2f} / {latency.p95:.2f} / {latency.p99:.2f} / {latency.mean:.2f}",
            ),
            ("learning", f"{measured.learning_seconds:.2f} s"),
        )
    )
    yield from _group_lines("agent", measured.agents)
    yield from _group_lines("language", measured.languages)
    yield from _group_lines("kind", measured.kinds)
    yield from _confusion_lines(measured.confusions)


def _group_lines(title: str, groups: Sequence[Group]) -> Iterator[str]:
    if groups:
        yield ""
        rows = [
            (g.name or "-", str(g.right.total), _share(g.right), percent(g.asked.percent), percent(g.declined.percent))
            for g in groups
        ]
        yield from _aligned(((title.upper(), "ROWS", "RIGHT", "ASKED", "DECLINED"), *rows))


def _confusion_lines(confusions: Sequence[Confusion]) -> Iterator[str]:
    if confusions:
        yield ""
        rows = [(str(c.count), _pair(c.label), _pair(c.predicted), repr(c.samples[0])) for c in confusions]
        yield from _aligned((("WRONG", "LABEL", "TAKEN FOR", "AS IN"), *rows))


def _pair(pair: tuple[str, str]) -> str:
    return "/".join(filter(None, pair)) or "nobody"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} %"


def _share(share: Share) -> str:
    interval = share.interval
    if interval is None:
        return "-"
    return f"{percent(share.percent)} ({share.hits} of {share.total}; 95 %: {interval[0]:.2f} to {interval[1]:.2f})"


def as_json(about: About, measured: Measured) -> dict[str, Any]:
    """All figures; shares as percent with hits, total and interval."""
    summary = measured.summary
    return {
        "about": {name: getattr(about, name) for name in about.__slots__},
        "summary": {
            **{
                name: _json_share(getattr(summary, name))
                for name in ("agent", "capability", "covered", "asked", "direct", "rejected")
            },
            "calibration": summary.calibration,
            "auroc": summary.auroc,
            "rejectedKeeping95": summary.rejected_keeping_95,
        },
        "latency": {name: getattr(measured.latency, name) for name in measured.latency.__slots__},
        "learningSeconds": measured.learning_seconds,
        "curve": [{"coverage": coverage, "risk": risk} for coverage, risk in measured.curve],
        "bins": [{"probability": one.probability, "right": one.right, "count": one.count} for one in measured.bins],
        "agents": [_json_group(group) for group in measured.agents],
        "languages": [_json_group(group) for group in measured.languages],
        "kinds": [_json_group(group) for group in measured.kinds],
        "confusions": [
            {
                "label": {"agent": c.label[0], "capability": c.label[1]},
                "predicted": {"agent": c.predicted[0], "capability": c.predicted[1]},
                "count": c.count,
                "samples": list(c.samples),
            }
            for c in measured.confusions
        ],
    }


def _json_share(share: Share) -> Mapping[str, Any]:
    return {"percent": share.percent, "interval": share.interval, "hits": share.hits, "total": share.total}


def _json_group(group: Group) -> Mapping[str, Any]:
    return {
        "name": group.name,
        "right": _json_share(group.right),
        "asked": _json_share(group.asked),
        "declined": _json_share(group.declined),
    }


def checkup_text(checkup: Checkup) -> str:
    """For a terminal."""
    size = f"{checkup.agents} agents, {checkup.capabilities} capabilities, {checkup.examples} examples"
    lines = [
        f"{size}; encoder {checkup.encoder}",
        "expected, from the examples alone:",
        *_aligned(
            (
                ("  covered (not declined)", _share(checkup.covered)),
                ("  matched without a question", _share(checkup.direct)),
                ("  right agent where matched", _share(checkup.right)),
            )
        ),
    ]
    for finding in checkup.findings:
        lines += ["", f"{finding.level} [{finding.kind}] {finding.message}", f"  fix: {finding.fix}"]
    lines += ["", f"{len(checkup.findings)} findings" if checkup.findings else "nothing to change"]
    return "\n".join(lines) + "\n"


def checkup_json(checkup: Checkup) -> dict[str, Any]:
    """All of it; shares as in an evaluation."""
    return {
        "agents": checkup.agents,
        "capabilities": checkup.capabilities,
        "examples": checkup.examples,
        "encoder": checkup.encoder,
        "expected": {name: _json_share(getattr(checkup, name)) for name in ("covered", "direct", "right")},
        "findings": [{name: getattr(one, name) for name in one.__slots__} for one in checkup.findings],
    }
