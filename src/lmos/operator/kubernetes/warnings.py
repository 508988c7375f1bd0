"""Warnings of an API server: deprecated versions, unknown fields, what webhooks have to say. They come with answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from lmos.operator import reasons
from lmos.telemetry.logs import logger

__all__ = ["OnWarning", "log_once", "warnings_in"]

OnWarning = Callable[[str], None]
"""Gets the text of each warning, each time."""

_WARNING: Final = re.compile(r'\b299 \S+ "((?:[^"\\]|\\.)*)"')


def warnings_in(header: str) -> Iterator[str]:
    """The texts in a `Warning` header: `299 - "text", 299 - "another"`."""
    for match in _WARNING.finditer(header):
        yield re.sub(r"\\(.)", r"\1", match[1])


def log_once() -> OnWarning:
    """Writes each text to the log, the first time it comes: servers repeat them in every answer."""
    logged: set[str] = set()

    def on_warning(text: str) -> None:
        if text not in logged:
            logged.add(text)
            logger("operator").warning(reasons.EVENT_SERVER_WARNS, warning=text)

    return on_warning
