"""Who changes objects and looks at what becomes of them: plain requests to the API server, as fast as it takes them.

Independent of the code that is measured, on purpose: what it counts and sees is what the API server did.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import orjson
import yaml

__all__ = ["Customer", "Sight", "Write"]

_CONCURRENCY: Final = 32
_API: Final = "/apis/lmos.eclipse/v1"
_MERGE: Final = "application/merge-patch+json"
_APPLY: Final = "application/apply-patch+yaml"
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE"})
_REQUESTS: Final = re.compile(r'apiserver_request_total\{([^}]*group="lmos\.eclipse"[^}]*)\} ([0-9.e+]+)')
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')

Object = dict[str, Any]
Write = tuple[str, str, str]
"""Verb, resource and subresource of a request, as the API server counts them: `("APPLY", "channels", "status")`."""


class Customer:
    """Requests with the rights of a kubeconfig's user. A context manager."""

    def __init__(self, kubeconfig: str | Path) -> None:
        self._url, self._tls, self._headers = _access(Path(kubeconfig))

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=_CONCURRENCY + 8)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        self._http = aiohttp.ClientSession(self._url, connector=connector, headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def create(self, plural: str, objects: Iterable[Object]) -> None:
        """Make all of `objects`, many at a time. Those that are there already are an error."""

        async def one(thing: Object) -> None:
            await self._send("POST", _path(plural, thing["metadata"]["namespace"]), thing)

        await _all(objects, one)

    async def patch(self, plural: str, namespace: str, changes: Mapping[str, Object]) -> None:
        """Merge a change into each object by its name, many at a time."""

        async def one(change: tuple[str, Object]) -> None:
            await self.patch_one(plural, namespace, *change)

        await _all(changes.items(), one)

    async def patch_one(self, plural: str, namespace: str, name: str, change: Object) -> Object:
        """The object after merging `change` into it."""
        return await self._send("PATCH", f"{_path(plural, namespace)}/{name}", change, _MERGE)

    async def apply(self, plural: str, thing: Object) -> Object:
        """The object after server-side apply."""
        meta = thing["metadata"]
        path = f"{_path(plural, meta['namespace'])}/{meta['name']}?fieldManager=customer&force=true"
        return await self._send("PATCH", path, thing, _APPLY)

    async def list(self, plural: str, namespace: str) -> list[Object]:
        return (await self._list(plural, namespace))["items"]

    async def delete_all(self, plural: str, namespace: str) -> None:
        await self._send("DELETE", _path(plural, namespace), {})

    async def writes(self) -> Counter[Write]:
        """Requests for our kinds that changed something, or might have, since the API server started."""
        async with self._http.get("/metrics") as response:
            text = await response.text()
        counted: Counter[Write] = Counter()
        for labels, value in _REQUESTS.findall(text):
            label = dict(_LABEL.findall(labels))
            if label["verb"] in _WRITES:
                counted[label["verb"], label["resource"], label["subresource"]] += int(float(value))
        return counted

    @asynccontextmanager
    async def sight(self, plural: str, namespace: str) -> AsyncGenerator[Sight]:
        """All objects of a kind as they are now and from now on, seen over a watch."""
        listing = await self._list(plural, namespace)
        sight = Sight(listing["items"])
        since = listing["metadata"]["resourceVersion"]
        task = asyncio.create_task(self._watch(plural, namespace, since, sight))
        task.add_done_callback(lambda _: sight.end())
        try:
            yield sight
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    async def _list(self, plural: str, namespace: str) -> Object:
        async with self._http.get(_path(plural, namespace)) as response:
            return await _content(response)

    async def _watch(self, plural: str, namespace: str, since: str, sight: Sight) -> None:
        while True:  # the API server ends watches as it likes, as when a definition settles
            query = {"watch": "true", "resourceVersion": since, "timeoutSeconds": "3600"}
            async with self._http.get(_path(plural, namespace), params=query) as response:
                rest = b""
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        event = orjson.loads(line)
                        if event["type"] == "ERROR":
                            raise RuntimeError(f"watch of {plural}: {event['object']}")
                        since = event["object"]["metadata"]["resourceVersion"]
                        sight.take(event["type"], event["object"])

    async def _send(self, method: str, path: str, body: Object, content_type: str = "application/json") -> Object:
        headers = {"Content-Type": content_type}
        async with self._http.request(method, path, data=orjson.dumps(body), headers=headers) as response:
            return await _content(response)


class Sight:
    """The objects of one kind by name, as the API server tells of them."""

    def __init__(self, items: Iterable[Object]) -> None:
        self.objects: dict[str, Object] = {item["metadata"]["name"]: item for item in items}
        self._expected: Callable[[Object], bool] = lambda _: True
        self._fulfilled: set[str] = set()
        self._moved = asyncio.Event()
        self._ended = False
        self.on_event: Callable[[str, Object], None] = lambda _type, _object: None

    def take(self, event: str, thing: Object) -> None:
        name = thing["metadata"]["name"]
        if event == "DELETED":
            self.objects.pop(name, None)
            self._fulfilled.discard(name)
        else:
            self.objects[name] = thing
            self._judge(name, thing)
        self.on_event(event, thing)
        self._moved.set()

    def end(self) -> None:
        """Nothing more is seen."""
        self._ended = True
        self._moved.set()

    async def until(self, count: int, expected: Callable[[Object], bool], *, seconds: float = 300.0) -> None:
        """Wait until `count` objects are as `expected`. Raises `TimeoutError` that says how many are."""
        self._expected, self._fulfilled = expected, set()
        for name, thing in self.objects.items():
            self._judge(name, thing)
        try:
            async with asyncio.timeout(seconds):
                while len(self._fulfilled) < count:
                    if self._ended:
                        raise RuntimeError("the watch has ended; what follows is not seen")
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise TimeoutError(f"{len(self._fulfilled)} of {count} objects after {seconds:g} s") from None

    def _judge(self, name: str, thing: Object) -> None:
        (self._fulfilled.add if self._expected(thing) else self._fulfilled.discard)(name)


def _path(plural: str, namespace: str) -> str:
    return f"{_API}/namespaces/{namespace}/{plural}"


async def _content(response: aiohttp.ClientResponse) -> Object:
    body = await response.read()
    if response.status >= 400:
        raise RuntimeError(f"{response.method} {response.url}: {response.status} {body[:300]!r}")
    return orjson.loads(body)


async def _all(items: Iterable[Any], work: Callable[[Any], Awaitable[None]]) -> None:
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(_CONCURRENCY)))


def _access(kubeconfig: Path) -> tuple[str, ssl.SSLContext, dict[str, str]]:
    """URL, trust and headers. Certificates inside of the file and a token: what the test cluster writes."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    return cluster["server"], ssl.create_default_context(cadata=authority), {"Authorization": f"Bearer {user['token']}"}
