"""An agent as far as discovery goes: serves `/.well-known/capabilities.json` on loopback, in a thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

__all__ = ["agent_serving"]

_PATH: Final = "/.well-known/capabilities.json"


@contextmanager
def agent_serving(**versions: str) -> Generator[str]:
    """Serve capabilities by name and version for the channel `web` of all tenants; the `host:port`."""
    body = json.dumps(_document(versions)).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == _PATH
            self.send_response(200 if found else 404)
            self.send_header("content-type", "application/json")
            self.end_headers()
            if found:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _document(versions: dict[str, str]) -> dict[str, Any]:
    capabilities = [
        {"id": name, "name": name, "version": version, "description": name, "examples": [name]}
        for name, version in versions.items()
    ]
    return {
        "id": "agent",
        "description": "An agent",
        "supportedTenants": [],
        "supportedChannels": ["web"],
        "capabilities": capabilities,
    }
