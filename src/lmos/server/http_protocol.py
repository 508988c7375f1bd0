"""What uvicorn's HTTP protocol lacks: a bound on a request's head, and our error format for what is no HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from lmos.conversation.errors import InvalidRequest
from lmos.server.h2c import WithoutH2c
from lmos.server.wire import ErrorBody

__all__ = ["MAX_HEAD_BYTES", "HttpProtocol"]

MAX_HEAD_BYTES: Final = 65_536
"""Most bytes of request line and headers that may arrive without their end; httptools would take them for ever."""


class HttpProtocol(WithoutH2c):
    """One connection. What cannot be parsed is answered with 400, too large a head with 431; then it is closed."""

    _head_bytes: int | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_bytes is None or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self._refuse(status, f"request line and headers have more than {MAX_HEAD_BYTES} bytes and no end")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        body = ErrorBody(error_code=InvalidRequest.code, message=message).model_dump_json(by_alias=True).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
