"""Free ports of 127.0.0.1 that stay ours from the moment they are found, also while nobody listens on them."""

from __future__ import annotations

import socket
from typing import Self

__all__ = ["HeldPort"]


class HeldPort:
    """A port, reserved until `release`.

    The socket is bound and never listens, so it gets no connection. A program that listens with SO_REUSEPORT, as the
    same user, may share the port; the kernel gives it to nobody else.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()

    def release(self) -> None:
        self._socket.close()
