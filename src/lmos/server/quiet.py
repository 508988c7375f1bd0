"""uvicorn's log, with what clients do wrong as one line at most: a traceback is for faults of ours."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["quiet_client_faults"]

_INVALID_TEXT: Final = "Invalid UTF-8 sequence received from client."
# uvicorn says so of every WebSocket that is refused with an HTTP answer; who refuses it has said why.
_REFUSED: Final = "ASGI callable returned without completing handshake."


class _ClientFaults(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg == _INVALID_TEXT:
            record.exc_info = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return record.msg != _REFUSED


_FILTER: Final = _ClientFaults()


def quiet_client_faults() -> None:
    """Set up uvicorn's logger. Safe to call again."""
    logging.getLogger("uvicorn.error").addFilter(_FILTER)
