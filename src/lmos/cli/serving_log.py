"""The log of commands that serve: ours as the settings say, that of libraries from warnings on."""

from __future__ import annotations

import logging
from typing import Final

from lmos.settings import Settings
from lmos.telemetry.logs import configure

__all__ = ["configure_log"]

# They tell at `info` what they do, not what went wrong; `lmos up` says in its own words that it is ready.
_CHATTY: Final = ("alembic", "uvicorn", "watchfiles", "httpx2", "httpcore2", "asyncio")


def configure_log(settings: Settings) -> None:
    """Set up the process's log. With level `debug` libraries speak freely."""
    configure(settings.log_format, settings.log_level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.DEBUG if settings.log_level == "debug" else logging.WARNING)
