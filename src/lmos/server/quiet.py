"""uvicorn's log, with what is expected as one line at most: a traceback is for faults of ours.

Expected is what clients do wrong, and that requests are cancelled when the server stops.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

__all__ = ["quiet_uvicorn"]

_INVALID_TEXT: Final = "Invalid UTF-8 sequence received from client."
# uvicorn says so of every WebSocket that is refused with an HTTP answer; who refuses it has said why.
_REFUSED: Final = "ASGI callable returned without completing handshake."
_CANCELLING: Final = "Cancel %s running task(s), timeout graceful shutdown exceeded"


class _Expected(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg == _INVALID_TEXT:
            record.exc_info = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            return False
        return record.msg != _REFUSED and (record.msg, record.args) != (_CANCELLING, (0,))


_FILTER: Final = _Expected()


def quiet_uvicorn() -> None:
    """Set up uvicorn's logger. Safe to call again."""
    logging.getLogger("uvicorn.error").addFilter(_FILTER)
