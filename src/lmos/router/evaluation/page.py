"""An evaluation as one HTML file: figures, plots and tables. It loads nothing and runs no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from lmos.router.evaluation.metrics import Group, Measured, Share
from lmos.router.evaluation.plots import line_plot, reliability_plot
from lmos.router.evaluation.report import About, percent, sizes

__all__ = ["as_html"]

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#d9dfe7;--paper:#fff;--card:#f6f8fa;--accent:#0b6bcb;
--accent2:#c2410c}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b5;--line:#323b47;--paper:#12161c;--card:#1a2029;
--accent:#5aa9f5;--accent2:#f0884d}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 64px}h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;
margin:36px 0 10px}p{margin:4px 0;color:var(--soft)}.cards{display:grid;gap:12px;margin-top:20px;
grid-template-columns:repeat(auto-fill,minmax(190px,1fr))}.card{background:var(--card);border:1px solid var(--line);
border-radius:8px;padding:12px 14px}.card b{display:block;font-size:22px;font-variant-numeric:tabular-nums}
.card span{color:var(--soft);font-size:13px;display:block}.plots{display:grid;gap:20px;
grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr))}figure{margin:0}figcaption{font-size:13px;
color:var(--soft)}svg{width:100%;height:auto;display:block}.grid{stroke:var(--line)}.line{fill:none;stroke:var(--accent);
stroke-width:2}.mark{fill:var(--accent)}.dot{fill:var(--accent);fill-opacity:.65}.diagonal{stroke:var(--accent2);
stroke-dasharray:5 4}.tick{fill:var(--soft);font-size:11px}.name{fill:var(--ink);font-size:12px}.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:left;padding:5px 12px 5px 0;
border-bottom:1px solid var(--line);vertical-align:top}th{color:var(--soft);font-weight:600;font-size:13px}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
"""


def as_html(about: About, measured: Measured) -> str:
    """The page. Texts of the data are escaped."""
    title = f"Router evaluation: {about.test}"
    body = "".join(
        (
            f"<h1>{escape(title)}</h1>",
            _about(about),
            _cards(measured),
            _plots(measured),
            _group_table("By agent", "Agent", measured.agents),
            _group_table("By language", "Language", measured.languages),
            _group_table("By kind of turn", "Kind", measured.kinds),
            _confusion_table(measured),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def _about(about: About) -> str:
    lines = [
        f"{about.sets}; {about.fed}.",
        f"Router {about.router}, encoder {about.encoder}.",
        sizes(about).capitalize() + ".",
        *about.notes,
    ]
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _cards(measured: Measured) -> str:
    summary, latency = measured.summary, measured.latency
    cards = [
        ("Right agent", percent(summary.agent.percent), _interval(summary.agent)),
        ("Right capability", percent(summary.capability.percent), _interval(summary.capability)),
        ("Covered", percent(summary.covered.percent), "of messages in scope: not declined"),
        ("Asked back", percent(summary.asked.percent), "of messages in scope"),
        ("Right where matched", percent(summary.direct.percent), _interval(summary.direct)),
        ("Calibration error", percent(summary.calibration), "of the probability of the agent"),
        ("For nobody: declined", percent(summary.rejected.percent), _interval(summary.rejected)),
        ("For nobody: AUROC", percent(summary.auroc), "of the in-scope score"),
        ("For nobody: declined", percent(summary.rejected_keeping_95), "when 95 % of the others are kept"),
        ("Time p50", f"{latency.p50:.2f} ms", f"p95 {latency.p95:.2f}, p99 {latency.p99:.2f}, mean {latency.mean:.2f}"),
        ("Learning", f"{measured.learning_seconds:.2f} s", "once for a roster"),
    ]
    shown = [card for card in cards if card[1] != "-"]
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card"><span>{escape(name)}</span><b>{escape(value)}</b><span>{escape(note)}</span></div>'
            for name, value, note in shown
        )
        + "</div>"
    )


def _plots(measured: Measured) -> str:
    curve = line_plot(measured.curve, x="answered", y="wrong", title="Share of wrong answers by coverage")
    bins = [(one.probability, one.right, one.count) for one in measured.bins]
    reliability = reliability_plot(bins, x="probability", y="right", title="Probability and share of right answers")
    return (
        f'<h2>How sure, how right</h2><div class="plots"><figure>{curve}<figcaption>When only the surest messages are '
        "answered: the share answered, and the share of these that is wrong. Messages for nobody count as wrong."
        f"</figcaption></figure><figure>{reliability}<figcaption>What the router says of its certainty, and how often "
        "it is right. On the dashed line both agree; larger dots are more messages.</figcaption></figure></div>"
    )


def _group_table(title: str, name: str, groups: Sequence[Group]) -> str:
    if not groups:
        return ""
    rows = [
        (
            group.name or "-",
            str(group.right.total),
            percent(group.right.percent),
            _interval(group.right),
            percent(group.asked.percent),
            percent(group.declined.percent),
        )
        for group in groups
    ]
    heads = (name, "Messages", "Right", "95 % interval", "Asked", "Declined")
    return f"<h2>{escape(title)}</h2>{_table(heads, rows, numbers=(1, 2, 3, 4, 5))}"


def _confusion_table(measured: Measured) -> str:
    if not measured.confusions:
        return ""
    rows = [
        (str(c.count), " / ".join(c.label), " / ".join(filter(None, c.predicted)) or "nobody", "; ".join(c.samples))
        for c in measured.confusions
    ]
    return f"<h2>What is taken for what</h2>{_table(('Wrong', 'Label', 'Taken for', 'As in'), rows, numbers=(0,))}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int]) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        kind = [' class="n"' if column in numbers else "" for column in range(len(row))]
        return "".join(f"<{tag}{k}>{escape(cell)}</{tag}>" for k, cell in zip(kind, row, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{cells("th", heads)}</tr></thead><tbody>{body}</tbody></table></div>'


def _interval(share: Share) -> str:
    interval = share.interval
    return "" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}, {share.hits} of {share.total}"
