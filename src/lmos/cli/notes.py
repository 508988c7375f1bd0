"""What the rooms below have to say while a command runs, as lines on stderr: warnings of theirs and of an API server.

Commands that serve have a log (`serving_log.py`); one that ends says it in its own way, each thing once.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Final, Self

import structlog

from lmos.cli.terminal import error_console

__all__ = ["Notes"]

_WORDED: Final = ("error", "warning")
"""Values that say all that the others say."""


class Notes:
    """Use as a context: it takes the place of the process's log until it ends."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._before: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._before = structlog.get_config()
        structlog.configure(
            processors=[self._line],
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=structlog.ReturnLoggerFactory(),
            cache_logger_on_first_use=False,
        )
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        structlog.configure(**self._before)

    def warn(self, text: str) -> None:
        """Say `text`, unless it was said before."""
        if text not in self._told:
            self._told.add(text)
            sys.stdout.flush()
            error_console().print(f"warning: {text}")

    def _line(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
        text, values = event.pop("event"), dict(event)
        said = [str(values[name]) for name in _WORDED if name in values]
        said = said or [f"{name} {value}" for name, value in values.items()]
        self.warn(f"{text}: {', '.join(said)}" if said else str(text))
        return ""
