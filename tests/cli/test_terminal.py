"""How text is laid out: tables, sheets, ages and colours."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from inline_snapshot import snapshot
from rich.console import Console

from lmos.cli.columns import age
from lmos.cli.describing import Around, describe_resource
from lmos.cli.sheet import Sheet
from lmos.cli.terminal import status_text, table
from lmos.resources.base import ObjectMeta
from lmos.resources.rollout import Canary, ChannelRollout, ChannelRolloutSpec, RolloutStrategy, WeightedChannel
from tests.cli.conftest import Lmos

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2026-01-31T12:00:00Z", "0s"),
        ("2026-01-31T11:58:01Z", "119s"),
        ("2026-01-31T11:58:00Z", "2m"),
        ("2026-01-31T11:52:40Z", "7m20s"),
        ("2026-01-31T11:50:00Z", "10m"),
        ("2026-01-31T10:00:00Z", "120m"),
        ("2026-01-31T08:55:00Z", "3h5m"),
        ("2026-01-30T12:00:01Z", "23h"),
        ("2026-01-29T11:00:00Z", "2d1h"),
        ("2026-01-01T12:00:00Z", "30d"),
        ("2024-01-31T12:00:00Z", "2y1d"),
        ("2016-01-31T12:00:00Z", "10y"),
        ("2026-02-01T00:00:00Z", "0s"),
        (None, "<unknown>"),
    ],
)
def test_ages_are_in_kubectls_units(timestamp: str | None, expected: str) -> None:
    assert age(timestamp, NOW) == expected


def test_columns_are_as_wide_as_their_longest_cell() -> None:
    rows = [("a", status_text("RESOLVED")), ("längerer", ""), ("日本", "x")]
    assert table(("NAME", "STATUS"), rows).plain == snapshot("""\
NAME       STATUS
a          RESOLVED
längerer
日本       x\
""")


def test_a_table_that_continues_another_keeps_its_columns() -> None:
    widths: list[int] = []
    table(("NAME", "STATUS"), [("a-long-name", "x")], widths=widths)
    assert table((), [("b", "y")], widths=widths).plain == "b             y"


def test_a_table_without_rows_is_its_headers() -> None:
    assert table(("NAME", "AGE"), ()).plain == "NAME   AGE"


def test_a_sheet_aligns_values_under_its_longest_label() -> None:
    sheet = Sheet()
    sheet.field("Name", "web")
    sheet.field("Labels", "a=b", "c=d")
    sheet.field("Nothing")
    sheet.section("Empty", ("A", "B"), [])
    sheet.section("Rows", ("A", "B"), [("1", "2")])
    sheet.lines("Lines", ["one", "two"])
    assert sheet.text.plain == snapshot("""\
Name:     web
Labels:   a=b
          c=d
Nothing:  <none>
Empty:    <none>
Rows:
  A   B
  1   2
Lines:
  one
  two\
""")


def test_a_rollout_is_described_with_its_weights() -> None:
    canary = Canary(
        canary_channel=WeightedChannel(name="web-next", weight=10),
        stable_channel=WeightedChannel(name="web", weight=90),
    )
    spec = ChannelRolloutSpec(strategy=RolloutStrategy(canary=canary))
    rollout = ChannelRollout(metadata=ObjectMeta(name="web"), spec=spec)
    assert describe_resource(rollout, Around(), NOW).plain == snapshot("""\
Name:       web
Namespace:  default
Kind:       ChannelRollout (lmos.eclipse/v1)
Labels:     <none>
Canary:     web-next (10 %)
Stable:     web (90 %)\
""")


def test_a_status_has_a_colour_on_a_terminal_only() -> None:
    def shown(**options: bool) -> str:
        console = Console(file=io.StringIO(), **options)  # pyright: ignore[reportArgumentType]
        console.print(status_text("UNRESOLVED"))
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    assert shown(force_terminal=True) == "\x1b[31mUNRESOLVED\x1b[0m\n"
    assert shown(force_terminal=True, no_color=True) == "UNRESOLVED\n"
    assert shown() == "UNRESOLVED\n"


@pytest.mark.parametrize(("settings", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_the_command_colours_on_a_terminal_unless_told_not_to(
    applied: Lmos, folder: Path, settings: dict[str, str], coloured: bool
) -> None:
    assert "RESOLVED" in applied("get", "channels").out
    ours, theirs = pty.openpty()
    inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment = inherited | {"TERM": "xterm"} | settings
    command = [sys.executable, "-m", "lmos.cli.main", "get", "channels"]
    subprocess.run(command, check=True, cwd=folder, env=environment, stdout=theirs, timeout=20)
    os.close(theirs)
    text = os.read(ours, 10_000).decode()
    os.close(ours)
    assert ("\x1b[31mUNRESOLVED" in text) is coloured


def test_text_is_never_cut_to_the_terminals_width(applied: Lmos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert applied("get", "channels").out.count("\n") == 3
