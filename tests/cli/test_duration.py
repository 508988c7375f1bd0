"""Durations as people write them."""

from __future__ import annotations

import pytest

from lmos.cli.duration import seconds_of
from lmos.cli.errors import CommandError


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("30", 30), ("30s", 30), ("1.5s", 1.5), ("2m", 120), ("1m30s", 90), ("1h", 3600)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1s2m", "m", "1 m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="is no duration"):
        seconds_of(text)
