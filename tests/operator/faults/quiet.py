"""Schedules log thousands of expected faults, which nobody would read; what is logged as an error is a bug."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

import structlog

__all__ = ["quiet"]


@contextmanager
def quiet() -> Generator[list[str]]:
    """Nothing is logged while inside; what would be logged as an error is collected."""
    bugs: list[str] = []

    def collect(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        bugs.append(str(event))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, collect],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    )
    try:
        yield bugs
    finally:
        structlog.configure(**before)
