"""Log lines: structlog, one line an event, text or JSON on stderr. Rooms call `logger(room)`, processes `configure`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal, cast


@contextmanager
def _without_rich() -> Generator[None]:
    """structlog loads rich, where it is installed, for tracebacks that nobody here wants: 3 MB and 30 ms a process."""
    modules = cast("dict[str, Any]", sys.modules)
    if "rich" in modules:
        yield
        return
    modules["rich"] = None
    try:
        yield
    finally:
        del modules["rich"]


with _without_rich():
    import structlog

__all__ = ["configure", "logger"]

LogFormat = Literal["text", "json"]


def logger(room: str) -> structlog.stdlib.BoundLogger:
    """The logger of a room; lines carry `logger=lmos.<room>`."""
    return structlog.stdlib.get_logger(f"lmos.{room}")


def configure(log_format: LogFormat = "text", level: str = "info") -> None:
    """Set up the process's log: stderr, `level` and above; standard-library loggers go through the same renderer."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log_format)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _renderers(log_format: LogFormat) -> list[structlog.typing.Processor]:
    """From a line's members to its text."""
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Rich's tracebacks take seconds of CPU, in which no turn goes on.
    plain = structlog.dev.plain_traceback
    return [
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=plain),
    ]
