"""Durations on the command line: `30s`, `2m`, `1m30s`, or a number of seconds. Pure."""

from __future__ import annotations

import re
from typing import Final

from lmos.cli.errors import CommandError

__all__ = ["seconds_of"]

_PARTS: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")


def seconds_of(text: str) -> float:
    """Seconds. Raises `CommandError`."""
    found = _PARTS.fullmatch(text)
    if not text or found is None:
        raise CommandError(f"{text!r} is no duration", "write it as in 30s, 2m or 1m30s")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds
