"""The documentation's figures are those of the last raw run."""

from __future__ import annotations

import json

from benchmarks.router.tables import PAGE, RESULTS, rendered


def test_the_documentation_shows_the_last_raw_run() -> None:
    raw = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert rendered(raw) in PAGE.read_text(encoding="utf-8")
