"""A reader that takes nothing of what it is sent does not stay for ever."""

from __future__ import annotations

import asyncio
import socket

import pytest

from lmos.server import serve
from tests.operator.builders import channel
from tests.operator.remote_operators import OurOperator
from tests.runtime.fakes import eventually

pytestmark = pytest.mark.anyio


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel has no TCP_USER_TIMEOUT")
async def test_a_reader_that_takes_nothing_is_disconnected() -> None:
    operator = OurOperator()
    wanted = channel(*((f"capability-{number}", "*") for number in range(50)), name="web")
    with serve.listen("127.0.0.1", 0, patience=0.5) as sock, socket.socket() as reader:
        async with serve.serving(operator.app, sock, shutdown_seconds=0):
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(sock.getsockname())
            reader.sendall(b"GET /apis/v1/channels/watch?since=10 HTTP/1.1\r\nhost: operator\r\n\r\n")
            for number in range(1000):
                operator.put(wanted.with_meta(name=f"web-{number}"))
                await asyncio.sleep(0)
            assert _served()
            await eventually(lambda: not _served(), seconds=20)


def _served() -> bool:
    return any("run_asgi" in repr(task.get_coro()) for task in asyncio.all_tasks())
