"""Under which `host:port` a listening socket is reached: what commands that serve print and tell others."""

from __future__ import annotations

import socket
from typing import Final

__all__ = ["address_of", "own_host"]

_LOOPBACK: Final[dict[str, str]] = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - translated, not bound


def address_of(sock: socket.socket) -> str:
    """`host:port` under which this machine reaches `sock`."""
    host, port = _bound(sock)
    return _joined(_LOOPBACK.get(host, host), port)


def own_host(sock: socket.socket) -> str:
    """`host:port` under which others reach `sock`: the machine's name when it listens on every address."""
    host, port = _bound(sock)
    return _joined(socket.gethostname() if host in _LOOPBACK else host, port)


def _bound(sock: socket.socket) -> tuple[str, int]:
    host, port, *_ = sock.getsockname()
    return str(host), int(port)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
