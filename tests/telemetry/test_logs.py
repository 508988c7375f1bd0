"""Log lines as a process writes them, in a process of its own: `configure` changes the whole process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Literal

import pytest

_SCRIPT = """
import logging
from lmos.telemetry.logs import configure, logger
configure({log_format!r}, {level!r})
logger("runtime").debug("too quiet")
logger("runtime").warning("turn failed", tenant="acme")
logging.getLogger("uvicorn").warning("from a library")
try:
    1 / 0
except ZeroDivisionError:
    logger("runtime").exception("turn crashed")
"""


def lines(log_format: Literal["text", "json"], level: str = "info") -> list[str]:
    """What the script writes to stderr; it writes nothing to stdout."""
    script = _SCRIPT.format(log_format=log_format, level=level)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_json_lines_carry_event_level_logger_time_and_members() -> None:
    entries: list[dict[str, Any]] = [json.loads(line) for line in lines("json")]
    assert [entry["event"] for entry in entries] == ["turn failed", "from a library", "turn crashed"]
    first = entries[0]
    assert first.pop("timestamp").endswith("Z")
    assert first == {"event": "turn failed", "tenant": "acme", "level": "warning", "logger": "lmos.runtime"}


@pytest.mark.parametrize(("level", "shown"), [("debug", True), ("info", False)])
def test_lines_below_the_level_are_left_out(level: str, shown: bool) -> None:
    assert any("too quiet" in line for line in lines("text", level)) is shown


def test_text_lines_name_the_error_of_an_exception() -> None:
    assert "ZeroDivisionError: division by zero" in lines("text")


def test_a_json_line_holds_its_traceback() -> None:
    crashed = json.loads(lines("json")[-1])
    assert crashed["event"] == "turn crashed"
    assert "ZeroDivisionError" in json.dumps(crashed)
