"""Ports that a cluster holds for its programs."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from tools.testcluster.ports import HeldPort


def bound(port: int, *, shared: bool) -> socket.socket:
    """A socket on `port`; `shared` as a program that is told that somebody holds the port."""
    with ExitStack() as stack:
        made = stack.enter_context(socket.socket())
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        made.bind(("127.0.0.1", port))
        stack.pop_all()
    return made


def test_a_held_port_is_given_to_nobody_else() -> None:
    with HeldPort() as held, pytest.raises(OSError, match="in use"):
        bound(held.number, shared=False)


def test_a_program_that_shares_a_held_port_gets_every_connection() -> None:
    with HeldPort() as held, bound(held.number, shared=True) as server:
        server.listen()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", held.number)), server.accept()[0]:
                pass


def test_a_released_port_is_free() -> None:
    with HeldPort() as held:
        number = held.number

    bound(number, shared=False).close()
