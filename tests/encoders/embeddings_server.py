"""A small real server that speaks `/v1/embeddings`: vectors of hashed words, and faults on demand."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["EmbeddingsServer", "embeddings_server"]

DIMENSIONS = 64


def embed(text: str) -> list[float]:
    vector = [0.0] * DIMENSIONS
    for word in text.lower().split():
        vector[zlib.crc32(word.encode()) % DIMENSIONS] += 1.0
    vector[0] += 0.01
    return vector


class EmbeddingsServer:
    """`requests` are the bodies it got, `headers` those of the last one; set `answer` or `status` for a fault."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.answer: bytes | None = None
        self.status = 200
        self.delay = 0.0

    def respond(self, body: dict[str, Any]) -> bytes:
        if self.answer is not None:
            return self.answer
        data = [{"object": "embedding", "index": i, "embedding": embed(text)} for i, text in enumerate(body["input"])]
        return json.dumps({"object": "list", "data": data[::-1], "model": body["model"]}).encode()


@contextmanager
def embeddings_server() -> Generator[EmbeddingsServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.requests.append(body)
            server.headers = dict(self.headers.items())
            time.sleep(server.delay)
            content = server.respond(body)
            self.send_response(server.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            return

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = EmbeddingsServer(f"http://127.0.0.1:{listener.server_port}/v1")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
