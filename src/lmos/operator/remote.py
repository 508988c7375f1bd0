"""`RemoteOperator`: an operator elsewhere, read over its REST API: lists, watches (SSE), and single questions.

`lmos runtime` reads its routings through one, as if it was a store. An operator of Eclipse LMOS answers single
questions only; `watchable` tells which one it is, and lists wait until there is one that can be watched, since
operators may be exchanged while we run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import quote

import httpx2
import orjson
from pydantic import ValidationError

from lmos.operator import reasons
from lmos.operator.base import Listing, ResourceExpired, StoreError, WatchEvent
from lmos.operator.watch_api import HEARTBEAT_SECONDS
from lmos.resources.agent import STABLE
from lmos.resources.base import ObjectMeta, Resource
from lmos.resources.channel import Channel
from lmos.resources.kinds import kind_named
from lmos.resources.routing import ChannelRouting
from lmos.telemetry.logs import logger

__all__ = ["ASK_AGAIN_SECONDS", "SILENCE_SECONDS", "RemoteOperator"]

SILENCE_SECONDS: Final = 3 * HEARTBEAT_SECONDS
"""A watch that says nothing for so long is broken off."""
ASK_AGAIN_SECONDS: Final = 30.0
"""How often an operator that cannot be watched is looked at anew: it may have been exchanged."""

_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 10.0
_SHOWN: Final = 200
_MODELS: Final[dict[str, type[Resource]]] = {Channel.KIND: Channel, ChannelRouting.KIND: ChannelRouting}

Json = dict[str, Any]

_log = logger("operator")


class RemoteOperator:
    """Reads Channels and ChannelRoutings; use it as `async with`. All calls raise `StoreError`.

    `watchable` is `None` until the operator has answered; false for one of Eclipse LMOS.
    """

    def __init__(self, url: str, *, silence: float = SILENCE_SECONDS, ask_again: float = ASK_AGAIN_SECONDS) -> None:
        """Raises `StoreError` when `url` is none."""
        self.url = url.rstrip("/")
        self.watchable: bool | None = None
        self._silence = silence
        self._ask_again = ask_again
        self._unreadable: set[tuple[str, ...]] = set()
        try:
            base = httpx2.URL(self.url)
            bad = "" if base.scheme in ("http", "https") and base.host else "scheme or host is missing"
        except httpx2.InvalidURL as error:
            bad = str(error)
        if bad:
            raise StoreError(f"{url!r} is no base URL of an operator ({bad}); write http://HOST:PORT")
        timeout = httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        self._http = httpx2.AsyncClient(base_url=self.url, timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        """As `Store.list`; waits while the operator is one that cannot be watched."""
        while True:
            answer = await self._get(f"/apis/v1/{kind_named(kind).plural}", namespace)
            if answer.status_code != 404 or _refused(answer):
                break
            await self._meet_original()
            await asyncio.sleep(self._ask_again)
        document = self._json(answer)
        self._met(watchable=True)
        wanted = dict(selector or {})
        found = tuple(
            item for item in self._all(kind, document["items"]) if wanted.items() <= item.metadata.labels.items()
        )
        return Listing(found, document["metadata"]["resourceVersion"])

    async def watch(self, kind: str, namespace: str, since: str) -> AsyncGenerator[WatchEvent, None]:
        """As `Store.watch`; ends when the operator stops. Of what is deleted, only the metadata are told."""
        path = f"/apis/v1/{kind_named(kind).plural}/watch"
        headers = {"x-namespace": namespace, "accept": "text/event-stream"}
        timeout = httpx2.Timeout(self._silence, connect=_CONNECT_SECONDS)
        try:
            async with self._http.stream(
                "GET", path, params={"since": since}, headers=headers, timeout=timeout
            ) as answer:
                if answer.status_code != 200:
                    await answer.aread()
                    raise _gone(answer) or self._fault(answer)
                async for event, data in _frames(answer.aiter_bytes()):
                    yield self._event(kind, event, data)
        except httpx2.ReadTimeout as error:
            raise StoreError(
                f"the operator at {self.url} has been silent for {self._silence:g} s; the watch begins again"
            ) from error
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    async def ask(self, kind: str, namespace: str, selector: Mapping[str, str]) -> Listing:
        """What the operator's single questions can tell: objects of a tenant, or of one channel of it.

        `selector` has `tenant` and `subset`, and perhaps `channel`.
        """
        path = f"/apis/v1/tenants/{quote(selector['tenant'], safe='')}/channels"
        single = "channel" in selector
        if single:
            path += f"/{quote(selector['channel'], safe='')}"
        if kind == ChannelRouting.KIND:
            path += "/routing"
        answer = await self._get(path, namespace, subset=selector.get("subset", STABLE))
        if answer.status_code == 404 and ((single and not answer.content) or _refused(answer)):
            return Listing((), "0")
        document = self._json(answer)
        return Listing(tuple(self._all(kind, [document] if single else document)), "0")

    async def _meet_original(self) -> None:
        """Make sure that what has no lists is an operator all the same."""
        answer = await self._get("/apis/v1/tenants/lmos/channels", "default")
        if answer.status_code != 200 or not isinstance(self._json(answer), list):
            raise self._fault(answer)
        self._met(watchable=False)

    def _met(self, *, watchable: bool) -> None:
        if watchable and not self.watchable:
            _log.info(reasons.EVENT_OPERATOR_WATCHED, url=self.url)
        elif not watchable and self.watchable is not False:
            _log.info(reasons.EVENT_OPERATOR_ASKED, url=self.url)
        self.watchable = watchable

    async def _get(self, path: str, namespace: str, *, subset: str | None = None) -> httpx2.Response:
        headers = {"x-namespace": namespace} | ({} if subset is None else {"x-subset": subset})
        try:
            return await self._http.get(path, headers=headers)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    def _json(self, answer: httpx2.Response) -> Any:
        if answer.status_code != 200:
            raise self._fault(answer)
        try:
            return orjson.loads(answer.content)
        except orjson.JSONDecodeError as error:
            raise self._fault(answer) from error

    def _all(self, kind: str, items: Iterable[Json]) -> Iterator[Resource]:
        return (found for raw in items if (found := self._read(kind, raw)) is not None)

    def _read(self, kind: str, raw: Json) -> Resource | None:
        """The object, without what a newer operator adds; `None` for one that is unreadable, which is told once."""
        try:
            return _MODELS[kind].model_validate(raw, extra="ignore")
        except ValidationError as error:
            meta = raw["metadata"]
            fault = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, fault["loc"]))
            if (key := (kind, meta["namespace"], meta["name"], field)) not in self._unreadable:
                self._unreadable.add(key)
                _log.warning(
                    reasons.EVENT_UNREADABLE,
                    kind=kind,
                    namespace=meta["namespace"],
                    object=meta["name"],
                    field=field,
                    error=fault["msg"],
                )
            return None

    def _event(self, kind: str, event: str, data: bytes) -> WatchEvent:
        try:
            raw: Json = orjson.loads(data)
            match event:
                case "added" | "modified" if (found := self._read(kind, raw)) is not None:
                    return WatchEvent(event, str(found.metadata.resource_version), found)
                case "added" | "modified" | "deleted":
                    return WatchEvent("deleted", raw["metadata"]["resourceVersion"], _remains(kind, raw["metadata"]))
                case "bookmark":
                    return WatchEvent("bookmark", raw["resourceVersion"])
                case "expired":
                    raise ResourceExpired(str(raw["error"]))
                case _:
                    raise KeyError(event)
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise StoreError(
                f"the operator at {self.url} sent {event!r} {data[:_SHOWN]!r}, which is no event"
            ) from error

    def _fault(self, answer: httpx2.Response) -> StoreError:
        said = " ".join(answer.text[:_SHOWN].split()) or "(nothing)"
        if answer.status_code == 200 or (answer.status_code == 404 and not _refused(answer)):
            return StoreError(
                f"{answer.url} answers {answer.status_code} {said!r}, as no operator does; correct LMOS_OPERATOR_URL"
            )
        return StoreError(f"the operator at {self.url} answers {answer.status_code}: {said}")

    def _unreachable(self, error: httpx2.TransportError) -> StoreError:
        return StoreError(f"the operator at {self.url} cannot be reached: {error or type(error).__name__}")


async def _frames(chunks: AsyncIterator[bytes]) -> AsyncGenerator[tuple[str, bytes], None]:
    """Event and data of each frame; comments are skipped, the rest of a frame that broke off, too."""
    buffer = b""
    async for chunk in chunks:
        *whole, buffer = (buffer + chunk).split(b"\n\n")
        for frame in whole:
            fields = {name: value for name, _, value in (line.partition(b": ") for line in frame.split(b"\n"))}
            if b"event" in fields:
                yield fields[b"event"].decode(errors="replace"), fields.get(b"data", b"")


def _refused(answer: httpx2.Response) -> bool:
    """Whether our kind of operator says no, rather than some server that does not know the path."""
    try:
        said: Any = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return False
    return isinstance(said, dict) and set(cast("Json", said)) == {"error"}


def _gone(answer: httpx2.Response) -> ResourceExpired | None:
    if answer.status_code == 410:
        return ResourceExpired(orjson.loads(answer.content)["error"])
    if answer.status_code == 404 and not _refused(answer):
        return ResourceExpired("this operator cannot be watched (any more); list again")
    return None


def _remains(kind: str, meta: Json) -> Resource:
    """What stands for an object that is gone: its name and version."""
    return _MODELS[kind].model_construct(
        metadata=ObjectMeta(name=meta["name"], namespace=meta["namespace"], resource_version=meta["resourceVersion"])
    )
