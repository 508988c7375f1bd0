"""A simulated API server on a real port, for commands: they run loops of their own, so it has a thread of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from lmos.operator.kubernetes.transport import Answer
from lmos.testing import serving
from lmos.testing.api_server import ApiServer, Request

__all__ = ["ServedCluster", "answered", "served_cluster"]

_APPLY = "application/apply-patch+yaml"

Script = Callable[[Request], Answer | None]
"""What to answer in the place of the server; `None` leaves it to the server."""


def answered(code: int, body: dict[str, Any], warnings: Sequence[str] = ()) -> Answer:
    """An answer for a script; of an error `body` is a `Status` without its usual fields."""
    if code >= 400:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code} | body
    headers = {"warning": ", ".join(f'299 - "{text}"' for text in warnings)} if warnings else {}
    return Answer(code, json.dumps(body).encode(), headers)


@dataclass
class ServedCluster:
    """The server as its users see it. `requests` are those that came; `script` goes before the server."""

    url: str
    kubeconfig: Path
    portal: BlockingPortal
    server: ApiServer
    script: Script = lambda _: None
    requests: list[Request] = field(default_factory=list[Request])

    def apply(self, data: dict[str, Any], manager: str, *, status: bool = False) -> None:
        """Server-side apply by somebody else."""
        plural = f"{data['kind'].lower()}s"
        path = f"/apis/lmos.eclipse/v1/namespaces/default/{plural}/{data['metadata']['name']}"
        query = {"fieldManager": manager, "force": "true"}
        body = json.dumps({"apiVersion": "lmos.eclipse/v1"} | data).encode()
        request = Request("PATCH", path + ("/status" if status else ""), query, body, _APPLY)
        answer = self.portal.call(self.server.answer, request)
        assert answer.status < 400, answer.body

    def managers(self, plural: str) -> set[str]:
        """Who owns fields of the objects of a resource."""
        objects = self.portal.call(self.server.objects, plural)
        return {entry["manager"] for found in objects for entry in found["metadata"]["managedFields"]}


@contextmanager
def served_cluster(folder: Path) -> Generator[ServedCluster]:
    """Serves until the end; its kubeconfig in `folder` has the contexts `test` and `staging` (namespace `stage`)."""
    with start_blocking_portal() as portal:
        server = portal.call(lambda: ApiServer(namespaces=("default", "stage")))
        cluster = ServedCluster("", folder / "kubeconfig", portal, server)
        with portal.wrap_async_context_manager(serving(_app(cluster))) as url:
            cluster.url = url
            cluster.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(url)))
            yield cluster
            # Else the watches that are open would hold the server up.
            portal.call(server.stop)


def _kubeconfig(url: str) -> dict[str, Any]:
    context = {"cluster": "test", "user": "admin"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "admin", "user": {"token": "secret"}}],
        "contexts": [
            {"name": "test", "context": context},
            {"name": "staging", "context": context | {"namespace": "stage"}},
        ],
        "current-context": "test",
    }


def _app(cluster: ServedCluster) -> Callable[[Scope, Receive, Send], Any]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        http = HttpRequest(scope, receive)
        content_type = http.headers.get("content-type", "application/json")
        body = await http.body()
        request = Request(http.method, http.url.path, dict(http.query_params), body or None, content_type)
        cluster.requests.append(request)
        answer = cluster.script(request) or _served(cluster.server, request)
        if isinstance(answer, Answer):
            response = Response(answer.body, answer.status, dict(answer.headers))
        else:
            response = StreamingResponse(_lines(answer))
        await response(scope, receive, send)

    return app


def _served(server: ApiServer, request: Request) -> Answer | AsyncIterator[bytes]:
    return server.watch(request) if request.watches else server.answer(request)


async def _lines(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for line in lines:
        yield line + b"\n"
