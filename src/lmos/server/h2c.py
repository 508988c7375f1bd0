"""HTTP/1.1 for clients that offer HTTP/2 with each request, as Java's does on plain `http://`.

Such a request names `Upgrade: h2c`. A server may ignore the offer, but httptools (0.9) takes the request's body for
bytes of the offered protocol and drops it: a POST arrives empty. So the offer is taken out before it is parsed.
"""

from __future__ import annotations

import re
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["WithoutH2c"]

_OFFER: Final = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"


class WithoutH2c(HttpToolsProtocol):
    """uvicorn's httptools protocol, deaf to offers of h2c. Other upgrades (WebSocket) go their way."""

    def data_received(self, data: bytes) -> None:
        between_requests = self.cycle is None or self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison] - set by the first request
        if between_requests and b"h2c" in data:
            head, end, rest = data.partition(_HEAD_END)
            data = _OFFER.sub(b"", head + b"\r\n")[:-2] + end + rest
        super().data_received(data)
